// Panel's table asks thousands of times a second whether its style sheets have come, and never hears of those that came before
// it listened (out of the browser's cache) or that Bokeh has put in again since (docs/adr/0107). Here it hears of all.
(() => {
  const table = Bokeh.Models.get("panel.models.tabulator.DataTabulator").prototype.default_view.prototype
  const { watch_stylesheets, _update_stylesheets } = table

  function listen(view) {
    const here = new Map()
    for (const { el } of view._applied_stylesheets) {
      if (!(el instanceof HTMLLinkElement)) { continue }
      here.set(el.href, el.sheet !== null)
      for (const settled of ["load", "error"]) { el.addEventListener(settled, () => here.set(el.href, true)) }
    }
    view._initialized_stylesheets = here
  }

  table.watch_stylesheets = function () {
    watch_stylesheets.call(this)
    listen(this)
  }
  table._update_stylesheets = function () {
    _update_stylesheets.call(this)
    if (this._initialized_stylesheets !== undefined) { listen(this) }
  }
})()
