// A text area whose text is coloured by a copy behind it. Native, so that it works by keyboard, on a phone and read aloud.
// Text only ever becomes text nodes, never markup.
const PARTS = new RegExp(
  [
    "(?<comment>--[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$))",
    "(?<text>'(?:[^']|'')*(?:'|$))",
    '(?<name>"(?:[^"]|"")*(?:"|$))',
    "(?<number>\\b\\d+(?:\\.\\d+)?\\b)",
    "(?<keyword>\\b(?:SELECT|FROM|WHERE|GROUP|ORDER|BY|ALL|HAVING|QUALIFY|WINDOW|LIMIT|OFFSET|WITH|RECURSIVE|AS|AND|OR|NOT|IN|IS|" +
      "NULL|TRUE|FALSE|LIKE|ILIKE|BETWEEN|CASE|WHEN|THEN|ELSE|END|JOIN|LEFT|RIGHT|FULL|INNER|OUTER|CROSS|ASOF|LATERAL|ON|USING|" +
      "UNION|EXCEPT|INTERSECT|DISTINCT|OVER|PARTITION|ROWS|RANGE|PRECEDING|FOLLOWING|UNBOUNDED|CURRENT|ROW|ASC|DESC|NULLS|FIRST|" +
      "LAST|FILTER|EXISTS|DATE|TIMESTAMP|INTERVAL|VALUES|DESCRIBE|SHOW|SUMMARIZE|TABLES|INT|DOUBLE|VARCHAR)\\b)",
  ].join("|"),
  "gi",
);

function colour(pre, text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(PARTS)) {
    const kind = Object.keys(found.groups).find((name) => found.groups[name] !== undefined);
    const span = document.createElement("span");
    span.className = kind;
    span.textContent = found[0];
    nodes.push(text.slice(end, found.index), span);
    end = found.index + found[0].length;
  }
  pre.replaceChildren(...nodes, text.slice(end) + "\n");
}

export function render({ model, el }) {
  const box = document.createElement("div");
  const pre = document.createElement("pre");
  const area = document.createElement("textarea");
  box.className = "editor";
  pre.setAttribute("aria-hidden", "true");
  Object.assign(area, { spellcheck: false, autocapitalize: "off", autocomplete: "off", value: model.value });
  area.setAttribute("aria-label", "SQL query; Ctrl+Enter runs it");
  colour(pre, area.value);

  let waiting = null;
  const tell = () => {
    clearTimeout(waiting);
    model.value = area.value;
  };
  const changed = () => {
    colour(pre, area.value);
    clearTimeout(waiting);
    waiting = setTimeout(tell, 150);
  };
  const insert = (text) => {
    area.focus();
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    changed();
  };
  area.addEventListener("input", changed);
  area.addEventListener("blur", tell);
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      clearTimeout(waiting);
      model.send_msg({ run: area.value });
    }
  });
  const inserted = (event) => insert(event.detail);
  document.addEventListener("stock-assets-insert", inserted);
  model.on("remove", () => document.removeEventListener("stock-assets-insert", inserted));
  model.on("value", () => {
    if (model.value !== area.value) {
      area.value = model.value;
      colour(pre, area.value);
    }
  });
  box.append(pre, area);
  el.append(box);
}
