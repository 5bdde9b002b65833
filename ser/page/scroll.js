"use strict";
// Says which boxes are wider than the screen; the others need no stop of the keyboard.
for (const box of document.querySelectorAll(".wide")) {
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent = "↔ Wider than the screen: scroll sideways.";
  box.before(hint);
  const tell = () => {
    const scrolls = box.scrollWidth > box.clientWidth;
    hint.hidden = !scrolls;
    box.toggleAttribute("data-scrolls", scrolls);
    if (scrolls) box.tabIndex = 0; else box.removeAttribute("tabindex");
  };
  const observer = new ResizeObserver(tell);
  observer.observe(box);
  observer.observe(box.firstElementChild);
}
