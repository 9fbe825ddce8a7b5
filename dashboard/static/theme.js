// Light or dark: what the person chose last, at first what the browser prefers. The server reads the cookie, so that
// a page is drawn in its colours from the start.
(() => {
  const name = "stock_assets_theme"
  const remember = (theme) => { document.cookie = `${name}=${theme}; path=/; max-age=31536000; SameSite=Lax` }
  const remembered = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`))
  if (!remembered) {
    const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"
    remember(theme)
    if (theme === "dark" && document.cookie.includes(name)) { location.reload() }
  }
  window.stockAssetsRememberTheme = remember
})()
