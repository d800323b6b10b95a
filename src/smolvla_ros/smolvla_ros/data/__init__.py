"""LeRobotDatasets without lerobot: written whole or not at all, read at random, checked, cut from stamped streams.

    create_dataset(root, features_of(load_embodiment()), fps=30, robot_type="so100")
    write_part(root, 0, RecordedEpisode("put the red cube in the blue box", columns, images))
    commit_parts(root)
    dataset = open_dataset(root)
    dataset.column("action"), dataset.image("observation.images.top", 12), dataset.chunks([12], horizon=50)

A frame is a row of the dataset; a part is one episode on its way into it.
"""
