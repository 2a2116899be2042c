"use strict";
// What the page does by itself: draws the charts, says what is under the pointer, switches techniques and theme.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  dark.addEventListener("change", label);
  label();

  const tip = document.getElementById("tip");
  const say = (handler, event, item, value) => {
    tip.hidden = value === null || value === undefined || value === "";
    if (tip.hidden) return;
    // Text only: what is said may come from names of files.
    tip.textContent = typeof value === "object" ? Object.values(value).join("\n") : String(value);
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? event.clientY + 18 : event.clientY - tip.offsetHeight - 10}px`;
  };
  addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

  const figures = JSON.parse(document.getElementById("figures").textContent);
  // Without `ast` Vega would evaluate strings, which the page's policy forbids. Level 1: errors only.
  const options = { renderer: "svg", actions: false, ast: true, logLevel: 1, defaultStyle: false, tooltip: say, config: figures.config };
  const views = [];
  const drawn = Object.entries(figures.specs).map(async ([name, spec]) => {
    const place = document.getElementById(`chart-${name}`);
    try {
      views.push((await vegaEmbed(place, spec, options)).view);
    } catch (error) {
      place.classList.add("failed");
      console.error(name, error);
    }
  });
  Promise.all(drawn).then(() => { root.dataset.drawn = String(views.length); });

  const boxes = [...document.querySelectorAll("input[name=technique]")];
  const show = () => {
    const shown = boxes.filter((box) => box.checked).map((box) => box.value);
    for (const view of views) view.signal("shown", shown).runAsync();
  };
  for (const box of boxes) box.addEventListener("change", show);
})();
