// Loads the page's WebAssembly. A file of its own, since the content security policy allows no inline script.

// Before the first paint, so the page does not flash in the other colours.
try {
  const asked = new URLSearchParams(location.search).get("theme");
  document.documentElement.dataset.theme = asked ?? localStorage.getItem("llm-labs-theme") ?? "system";
} catch {
  // Storage may be forbidden; then the system's colours are used.
}

try {
  const { default: init } = await import("./lab-web.js");
  await init();
} catch (error) {
  const place = document.getElementById("loading");
  if (!place) throw error;
  place.setAttribute("role", "alert");
  place.querySelector("p").textContent =
    "LLM Labs could not start. It needs a current browser with WebAssembly SIMD: Chrome 91, Firefox 89, Safari 16.4 or later.";
  place.append(Object.assign(document.createElement("pre"), { textContent: String(error) }));
}
