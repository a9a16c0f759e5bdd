// The interactive figure: it shows the numbers of try_data.js, which the library computed when the site was built.
(() => {
  const root = document.getElementById("try");
  if (!root || typeof tryData === "undefined") return;
  const { size, width, decades, kernels, modes, fields } = tryData;
  const side = size + 2 * width;
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const levels = (text) => new Uint16Array(bytes(text).buffer);

  // A few colours of viridis and of magma; between them, straight lines.
  const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const MAGMA = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]];
  const colour = (map, share) => {
    const place = Math.min(Math.max(share, 0), 1) * (map.length - 1);
    const index = Math.min(Math.floor(place), map.length - 2);
    return map[index].map((from, channel) => Math.round(from + (place - index) * (map[index + 1][channel] - from)));
  };

  const paint = (name, count, pixel, words) => {
    const canvas = part(name);
    canvas.width = canvas.height = count;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(count, count);
    for (let index = 0; index < count * count; index += 1) picture.data.set([...pixel(index), 255], 4 * index);
    context.putImageData(picture, 0, 0);
    canvas.setAttribute("aria-label", words);
    return context;
  };

  const image = (name, values, words) => {
    // Values lie between a quarter below and a quarter above the range of the field.
    const pixel = (index) => colour(VIRIDIS, (values[index] / 65535 - 1 / 6) * 1.5);
    const context = paint(name, side, pixel, words);
    context.strokeStyle = "#fff";
    context.lineWidth = 1;
    context.strokeRect(width - 0.5, width - 0.5, size + 1, size + 1);
  };

  const errors = (name, values, reach, words) => {
    let next = 0;
    paint(name, size, (index) => {
      const row = Math.floor(index / size);
      const column = index % size;
      const inside = Math.min(row, column, size - 1 - row, size - 1 - column) >= reach;
      return inside ? [0, 0, 4] : colour(MAGMA, values[next++] / 255);
    }, words);
  };

  const line = (name, truth, made, words) => {
    const row = Math.floor(side / 2) * side;
    const at = (values, index) => [10 * index + 5, 150 - (values[row + index] / 65535) * 150];
    const path = [...Array(side).keys()].map((index) => at(truth, index).join(" ")).join(" L ");
    const dots = [...Array(side).keys()].map((index) => {
      const known = index >= width && index < width + size;
      if (!known && !made) return "";
      const [x, y] = at(known ? truth : made, index);
      return `<circle class="${known ? "known" : "added"}" cx="${x}" cy="${y.toFixed(1)}" r="${known ? 2.5 : 3.5}"/>`;
    });
    const edges = [width, width + size].map((x) => `<line class="edge" x1="${10 * x}" x2="${10 * x}" y1="0" y2="150"/>`);
    part(name).innerHTML =
      `<svg viewBox="0 -5 ${10 * side} 160" role="img" aria-label="${words}"><path class="truth" d="M ${path}"/>${edges.join("")}${dots.join("")}</svg>`;
  };

  const short = (value) => (value === 0 ? "0" : value < 0.001 || value >= 1000 ? value.toExponential(1) : value.toPrecision(2));

  const show = () => {
    const [field, mode] = [fields[part("field").value], part("mode").value];
    const kernel = Number(part("kernel").value);
    const group = Math.floor(kernel / 3);
    const reach = group + 1;
    const truth = levels(field.truth);
    const texts = field.images[mode];
    const made = texts.length ? levels(texts[Math.min(group, texts.length - 1)]) : null;
    // What a mode does not extend stays empty.
    const empty = truth.map((value, index) => {
      const [row, column] = [Math.floor(index / side), index % side];
      return Math.min(row, column, side - 1 - row, side - 1 - column) < width ? 0 : value;
    });
    image("truth", truth, `${field.title} with what is truly beyond the edge`);
    image("made", made ?? empty, `${field.title} extended by ${mode}`);
    const [mean, map] = field.errors[mode][kernel];
    errors("errors", bytes(map), reach, `Errors of the filtered image with ${mode}: ${short(mean)} on average in the frame`);
    line("line", truth, made, `The middle row of ${field.title}, extended by ${mode}, beside the truth`);
    const ranked = Object.keys(modes).sort((a, b) => field.errors[a][kernel][0] - field.errors[b][kernel][0]);
    const place = ranked.indexOf(mode) + 1;
    part("told").textContent =
      `${mode}, ${kernels[kernel]}: mean error in the frame ${short(mean)} standard deviations of the true result; ` +
      `number ${place} of ${ranked.length}, ${short(mean / Math.max(field.errors[ranked[0]][kernel][0], 1e-12))} times the least.` +
      (made ? "" : ` ${mode} extends no image: it rescales the outputs of zero padding.`);
    part("ranking").replaceChildren(...ranked.map((name) => {
      const value = field.errors[name][kernel][0];
      const share = (Math.log10(Math.max(value, 1e-9)) - decades[0]) / (2 - decades[0]);
      const item = document.createElement("li");
      item.innerHTML =
        `<button type="button" aria-pressed="${name === mode}" data-mode="${name}"><code>${name}</code>` +
        `<span class="bar" style="width:${(100 * Math.min(Math.max(share, 0.01), 1)).toFixed(1)}%"></span><span>${short(value)}</span></button>`;
      return item;
    }));
  };

  const options = (name, entries, chosen) => {
    part(name).replaceChildren(...entries.map(([value, text]) => new Option(text, value, false, value === chosen)));
    part(name).addEventListener("change", show);
  };
  options("field", Object.entries(fields).map(([name, field]) => [name, field.title]), "navier_stokes");
  options("mode", Object.keys(modes).map((name) => [name, name]), "diff");
  options("kernel", kernels.map((name, index) => [String(index), name]), "1");
  part("ranking").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    part("mode").value = button.dataset.mode;
    show();
    // The list was made anew: who came by the keyboard goes on where he was.
    part("ranking").querySelector('[aria-pressed="true"]').focus();
  });
  part("scale").style.background = `linear-gradient(to right, ${MAGMA.map((one) => `rgb(${one})`).join(",")})`;
  part("decades").textContent = `10^${decades[0]} to 10^${decades[1]}`;
  show();
})();
