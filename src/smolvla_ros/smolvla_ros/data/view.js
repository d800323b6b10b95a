// Videos of an episode play together; a line in each curve shows where they are.
for (const episode of document.querySelectorAll("details.episode")) {
  const videos = [...episode.querySelectorAll("video")];
  const slider = episode.querySelector("input[type=range]");
  const button = episode.querySelector("button");
  const seconds = Number(slider.max);
  const start = (video) => Number(video.dataset.start);
  let playing = false;
  const show = (time) => {
    for (const curve of episode.querySelectorAll(".curve")) {
      const now = curve.querySelector(".now");
      const x = 6 + (curve.viewBox.baseVal.width - 12) * (time / seconds);
      now.setAttribute("x1", x);
      now.setAttribute("x2", x);
    }
    episode.querySelector("output").textContent = time.toFixed(2) + " s";
  };
  const play = (on) => {
    playing = on;
    button.textContent = on ? "Pause" : "Play";
    for (const video of videos) on ? video.play() : video.pause();
    if (on) requestAnimationFrame(step);
  };
  const step = () => {
    if (!playing) return;
    const time = Math.max(0, videos[0].currentTime - start(videos[0]));
    if (time >= seconds) play(false);
    slider.value = Math.min(time, seconds);
    show(Number(slider.value));
    requestAnimationFrame(step);
  };
  const seek = (time) => {
    for (const video of videos) video.currentTime = start(video) + time;
    show(time);
  };
  slider.addEventListener("input", () => seek(Number(slider.value)));
  button.addEventListener("click", () => {
    if (!playing && Number(slider.value) >= seconds - 0.05) seek(0);
    if (videos.length) play(!playing);
  });
  for (const video of videos) {
    video.addEventListener("loadedmetadata", () => (video.currentTime = start(video) + 1e-3), { once: true });
  }
}
