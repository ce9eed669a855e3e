"use strict";
// The page without this script is whole: every figure is there as a picture. This makes it live, after the first paint.
(() => {
  const root = document.documentElement;
  const $ = (query, from = document) => [...from.querySelectorAll(query)];
  const read = (id) => JSON.parse(document.getElementById(id)?.textContent || "null");

  // ------------------------------------------------------------------------------------------ light and dark
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const onTheme = [];
  const themed = () => {
    const button = document.getElementById("theme");
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Show the page light" : "Show the page dark");
    onTheme.forEach((follow) => follow());
  };
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    themed();
  });
  system.addEventListener("change", themed);
  document.getElementById("print").addEventListener("click", () => print());
  $(".bar[hidden]").forEach((bar) => (bar.hidden = false));

  // ------------------------------------------------------------------------------------------ tables that sort
  const worth = (cell) => {
    const told = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
    const plain = told.replace(/[\u202f\u00a0,](?=\d{3})/g, "").replace(/\u2212/g, "-");
    const found = plain.match(/^[^\d-]{0,2}(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/i);
    return found ? { number: parseFloat(found[1]), text: plain } : { number: NaN, text: plain };
  };
  const before = (a, b) => {
    const unlike = Number.isNaN(a.number) - Number.isNaN(b.number);
    if (unlike) return unlike;
    if (!Number.isNaN(a.number) && a.number !== b.number) return a.number - b.number;
    return a.text.localeCompare(b.text, "en", { numeric: true });
  };
  const empty = (it) => it.text === "" || it.text === "–";
  const sortBy = (table, heads, index) => {
    const body = table.tBodies[0];
    body._order ??= [...body.rows];
    const was = heads[index].getAttribute("aria-sort");
    const now = { none: "ascending", ascending: "descending", descending: "none" }[was];
    heads.forEach((head, at) => head.setAttribute("aria-sort", at === index ? now : "none"));
    let rows = body._order;
    if (now !== "none") {
      const turn = now === "ascending" ? 1 : -1;
      const free = rows.filter((row) => !row.classList.contains("all"));
      const keyed = free.map((row) => [worth(row.cells[index]), row]);
      keyed.sort(([a], [b]) => empty(a) - empty(b) || turn * before(a, b));
      // A row of sums stays where it is.
      const sorted = keyed.map(([, row]) => row);
      rows = rows.map((row) => (row.classList.contains("all") ? row : sorted.shift()));
    }
    body.append(...rows);
  };
  for (const table of $("main table")) {
    const rows = table.tBodies[0]?.rows ?? [];
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    if (rows.length < 2 || $("td[colspan], td[rowspan]", table).length) continue;
    heads.forEach((head, index) => {
      if (!head.textContent.trim()) return;
      head.setAttribute("aria-sort", "none");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, heads, index));
      head.append(button);
    });
  }
  for (const box of $(".scroll, figure.wide")) {
    // What scrolls must be reached without a mouse.
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  }

  // ------------------------------------------------------------------------------------------ where a number is from
  const panel = document.getElementById("source");
  const tell = (holder) => {
    $(".told").forEach((other) => other.classList.remove("told"));
    holder.classList.add("told");
    const { uuid, path, key } = holder.dataset;
    panel.querySelector("[data-part=uuid]").textContent = uuid;
    panel.querySelector("[data-part=path]").textContent = path ? `, at ${path}` : "";
    const [, run, name] = key?.match(/^runs\.(\d+)\.(.*)/) ?? [null, root.dataset.top, key];
    panel.querySelector("[data-part=trace]").textContent = `aiida-seireact trace ${key ? `${name} --in ${run}` : uuid}`;
    panel.hidden = false;
  };
  const asking = document.getElementById("asking");
  asking.addEventListener("click", () => {
    const on = asking.getAttribute("aria-pressed") !== "true";
    asking.setAttribute("aria-pressed", on);
    root.classList.toggle("asks", on);
    $("[data-uuid]").forEach((holder) => (on ? (holder.tabIndex = 0) : holder.removeAttribute("tabindex")));
    if (!on) {
      panel.hidden = true;
      $(".told").forEach((other) => other.classList.remove("told"));
    }
  });
  const asked = (event) => {
    const holder = root.classList.contains("asks") && event.target.closest?.("[data-uuid]");
    if (holder) tell(holder);
  };
  document.addEventListener("click", asked);
  document.addEventListener("focusin", asked);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && root.classList.contains("asks")) asking.click();
  });

  // ------------------------------------------------------------------------------------------ programs, unpacked
  const unpack = async (id) => {
    const holder = document.getElementById(id);
    const bytes = Uint8Array.from(atob(holder.textContent.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    holder.remove();
  };
  const pause = () => new Promise((go) => setTimeout(go, 0));
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // ------------------------------------------------------------------------------------------ figures
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    displayModeBar: "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg" },
  };
  // The page's ink in place of that of paper, wherever a figure names it.
  const inked = (figure) => {
    const inks = new Map([["#1b1e22", colour("--ink")], ["#8a9099", colour("--muted")]]);
    const walk = (it) => {
      if (Array.isArray(it)) return it.length > 64 && typeof it[0] !== "object" ? it : it.map(walk);
      if (it && typeof it === "object") return Object.fromEntries(Object.entries(it).map(([key, at]) => [key, walk(at)]));
      return typeof it === "string" ? (inks.get(it.toLowerCase()) ?? it) : it;
    };
    const { data, layout } = walk(figure);
    const hoverlabel = { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") } };
    const font = { ...layout.font, color: colour("--ink"), family: getComputedStyle(document.body).fontFamily };
    const clear = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hoverlabel, font };
    return { data, layout: { ...layout, ...clear } };
  };
  // On a narrow page panels that lie beside each other are put below each other.
  const NARROW = 620;
  const stacked = ({ data, layout }, width) => {
    const axes = Object.keys(layout).filter((key) => /^xaxis\d*$/.test(key));
    const besides = axes.filter((key) => layout[key].domain?.[0] > 0.01).length;
    if (width > NARROW || !besides) return { data, layout };
    const rows = axes.length, each = 280, gap = 100;
    const inner = rows * each + (rows - 1) * gap;
    const changed = { ...layout, height: inner + 130 + 22 * Math.ceil(data.length / 3) };
    const place = {};
    axes.forEach((key, row) => {
      const top = 1 - (row * (each + gap)) / inner;
      place[key.slice(5)] = [Math.max(top - each / inner, 0), top];
      changed[key] = { ...layout[key], domain: [0, 1] };
      const other = `y${key.slice(1)}`;
      changed[other] = { ...layout[other], domain: place[key.slice(5)] };
    });
    const moved = data.map((item) => {
      const at = item.colorbar && place[(item.yaxis ?? "y").slice(1)];
      return at ? { ...item, colorbar: { ...item.colorbar, x: 1, y: (at[0] + at[1]) / 2, len: at[1] - at[0] } } : item;
    });
    return { data: moved, layout: changed };
  };
  const drawFigures = async () => {
    const figures = read("figures") ?? {};
    const holders = $("[data-plot]");
    const draw = (holder, how) => {
      const { data, layout } = stacked(inked(figures[holder.dataset.plot]), holder.clientWidth);
      return Plotly[how](holder, data, layout, CONFIG);
    };
    const drawNew = async (holder) => {
      const box = holder.closest("figure");
      if (box.classList.contains("live")) return;
      box.classList.add("live");
      try {
        await draw(holder, "newPlot");
      } catch (error) {
        box.classList.remove("live"); // the picture stays
        console.error(`figure ${holder.dataset.plot}: ${error.message}`);
      }
      await pause();
    };
    // What is folded up has no size yet: it is drawn when it is unfolded, unless that is for paper.
    for (const fold of $("details"))
      fold.addEventListener("toggle", async () => {
        if (fold.open && !fold.dataset.forPrint) for (const holder of $("[data-plot]", fold)) await drawNew(holder);
      });
    for (const holder of holders) if (!holder.closest("details:not([open])")) await drawNew(holder);
    const again = async () => {
      for (const holder of $("figure.live [data-plot]")) {
        await draw(holder, "react");
        await pause();
      }
    };
    onTheme.push(again);
    matchMedia(`(max-width: ${NARROW + 40}px)`).addEventListener("change", again);
  };

  // ------------------------------------------------------------------------------------------ the cell in 3D
  const drawCell = () => {
    const holder = document.getElementById("viewer");
    const scene = read("scene");
    if (!holder || !scene) return;
    const box = holder.closest("figure");
    const stage = holder.querySelector(".stage");
    // The wheel belongs to the page; with Ctrl it is the viewer's.
    stage.addEventListener("wheel", (event) => event.ctrlKey || event.stopImmediatePropagation(), { capture: true });
    box.classList.add("live");
    let viewer = null;
    try {
      viewer = $3Dmol.createViewer(stage, { backgroundColor: colour("--paper"), antialias: true });
    } catch (error) {
      viewer = null;
    }
    if (!viewer) {
      box.classList.remove("live"); // no WebGL: the picture from the side stays
      return;
    }
    const show = (index, keep) => {
      const moment = scene.moments[index];
      viewer.removeAllModels();
      viewer.removeAllShapes();
      const model = viewer.addModel();
      model.addAtoms(
        moment.kind.map((kind, at) => ({
          elem: "X", serial: at, bonds: [], bondOrder: [], kind: String(kind),
          x: moment.xyz[3 * at], y: moment.xyz[3 * at + 1], z: moment.xyz[3 * at + 2],
        })),
      );
      scene.kinds.forEach(({ colour: fill, radius }, kind) =>
        model.setStyle({ kind: String(kind) }, { sphere: { color: fill, radius } }),
      );
      const [a, b, c] = moment.cell;
      const add = (...vectors) => vectors.reduce((sum, at) => sum.map((value, axis) => value + at[axis]), [0, 0, 0]);
      const point = ([x, y, z]) => ({ x, y, z });
      for (const [first, second, along] of [[a, b, c], [b, c, a], [c, a, b]])
        for (const start of [[], [first], [second], [first, second]])
          viewer.addLine({ start: point(add(...start)), end: point(add(...start, along)), color: colour("--soft") });
      if (!keep) {
        viewer.zoomTo();
        viewer.rotate(-14, "x");
        viewer.rotate(10, "y");
        viewer.render();
        // As near as the corners of the cell allow.
        const corners = [[], [a], [b], [c], [a, b], [b, c], [a, c], [a, b, c]].map((of) => viewer.modelToScreen(point(add(...of))));
        const wide = (axis) => Math.max(...corners.map((at) => at[axis])) - Math.min(...corners.map((at) => at[axis]));
        viewer.zoom(0.86 * Math.min(stage.clientWidth / wide("x"), stage.clientHeight / wide("y")));
      }
      viewer.render();
      const part = moment.shown < moment.atoms ? `the front ${moment.shown} of ${moment.atoms} atoms` : `${moment.atoms} atoms`;
      stage.setAttribute("aria-label", `The cell in three dimensions, ${moment.title}, ${part}`);
      holder.querySelector(".shown").textContent = part;
    };
    $("input[name=moment]", holder).forEach((input) =>
      input.addEventListener("change", () => show(Number(input.value), true)),
    );
    const moves = {
      "turn-left": () => viewer.rotate(-15, "y"), "turn-right": () => viewer.rotate(15, "y"),
      "tilt": () => viewer.rotate(-15, "x"), "nearer": () => viewer.zoom(1.25), "farther": () => viewer.zoom(0.8),
      "reset": () => show(Number(holder.querySelector("input[name=moment]:checked")?.value ?? 0), false),
    };
    $("button[data-move]", holder).forEach((button) =>
      button.addEventListener("click", () => { moves[button.dataset.move](); viewer.render(); }),
    );
    onTheme.push(() => {
      viewer.setBackgroundColor(colour("--paper"));
      show(Number(holder.querySelector("input[name=moment]:checked")?.value ?? 0), true);
    });
    show(Number(holder.querySelector("input[name=moment]:checked")?.value ?? 0), false);
    addEventListener("resize", () => viewer.resize());
    holder._viewer = viewer;
  };

  // Paper gets the pictures, and what is folded up unfolds where it is short.
  addEventListener("beforeprint", () => {
    for (const fold of $("details.print:not([open])")) {
      fold.dataset.forPrint = "yes";
      fold.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const fold of $("details[data-for-print]")) {
      fold.open = false;
      delete fold.dataset.forPrint;
    }
  });

  themed();
  const start = async () => {
    try {
      if (document.getElementById("program-viewer")) {
        await unpack("program-viewer");
        drawCell();
      }
      if (document.getElementById("program-plotly")) {
        await unpack("program-plotly");
        await drawFigures();
      }
    } finally {
      root.dataset.drawn = "all";
    }
  };
  requestAnimationFrame(() => setTimeout(start, 0));
})();
