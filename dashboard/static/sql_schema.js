// The tables and their columns, folded; a click puts a name where the editor's caret is. Text nodes only.
function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}

function put(name) {
  document.dispatchEvent(new CustomEvent("stock-assets-insert", { detail: name }));
}

function button(name, className, label) {
  const made = element("button", className, name);
  made.type = "button";
  made.title = `Put ${name} into the query`;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", (event) => {
    event.preventDefault();
    put(name);
  });
  return made;
}

function column(one) {
  const head = element("div", "head", button(one.name, "column", `insert column ${one.name}`), element("span", "type", one.type));
  return element("li", "", head, element("div", "meaning", one.meaning));
}

function relation(one) {
  const summary = element("summary", "", element("span", "table", one.name), element("span", "type", `${one.columns.length}`));
  const columns = element("ul", "", ...one.columns.map(column));
  const whole = element("div", "meaning", one.meaning, " ");
  return element("details", "", summary, whole, button(one.name, "insert", `insert table ${one.name}`), columns);
}

export function render({ model, el }) {
  const search = element("input", "search");
  const list = element("div", "list");
  Object.assign(search, { type: "search", placeholder: "Find a table or column" });
  search.setAttribute("aria-label", "Find a table or column");
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const parts = [];
    for (const one of model.relations) {
      const whole = one.name.includes(wanted);
      const columns = whole ? one.columns : one.columns.filter(({ name }) => name.toLowerCase().includes(wanted));
      if (!columns.length && !whole) continue;
      const made = relation({ ...one, columns });
      made.open = wanted !== "" && parts.length < 3;
      parts.push(made);
    }
    list.replaceChildren(...(parts.length ? parts : [element("div", "meaning", "Nothing of that name.")]));
  };
  search.addEventListener("input", draw);
  model.on("relations", draw);
  draw();
  el.append(element("div", "schema", search, list));
}
