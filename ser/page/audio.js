"use strict";
// Says so where an audio file has moved away, or is of a kind that the browser cannot play.
function tellUnplayable(audio) {
  const tell = () => audio.replaceWith("no audio: moved away, or not playable in this browser");
  if (audio.error) tell(); else audio.addEventListener("error", tell);
}
document.querySelectorAll("audio").forEach(tellUnplayable);
