// A field with completions that is left without a choice shows what was typed, or nothing, while the page still shows what
// was chosen before. Here it goes back to that.
(() => {
  const watched = new WeakSet()
  const beneath = (views) => [...views].flatMap((view) => [view, ...beneath(view.child_views ?? [])])

  function watch({ model: { data }, shadow_el }) {
    let chosen = data.value
    data.properties.value.change.connect(() => { chosen = data.value || chosen })
    // Within the field: outside of it nobody hears of a focus that moves on to its own list.
    shadow_el.addEventListener("focusout", () => {
      data.value = chosen
      data.value_input = chosen ?? ""
    })
  }

  addEventListener("focusin", (event) => {
    const path = event.composedPath()
    // Fields that take any text do not restrict.
    const field = beneath(Bokeh.index.roots).find((view) => view.model.data?.restrict && path.includes(view.el))
    if (field && !watched.has(field)) {
      watched.add(field)
      watch(field)
    }
  })
})()
