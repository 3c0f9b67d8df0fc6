// What surrounds the views: the header with its links, and the footer.

import { api } from "./api.js";
import { button, h, icon } from "./dom.js";
import { flash } from "./notice.js";
import { link } from "./route.js";
import { currentKey, onKey, setKey } from "./session.js";
import { t } from "./strings.js";

const VIEWS = ["search", "compare", "collections", "duplicates", "map"];

/** Fill the header; returns a function that marks the view one is in. */
export function fillHeader(header, main) {
  const links = VIEWS.map((view) => h("a", { href: link(view) }, icon(view), h("span", {}, t.views[view])));
  const skip = h("a", { class: "skip", href: "#main" }, t.skip);
  skip.addEventListener("click", (event) => {
    // The part behind the # says which view is shown, so it must stay.
    event.preventDefault();
    main.focus();
  });
  document.body.prepend(skip);
  const home = header.querySelector(".brand");
  home.setAttribute("aria-label", t.home);
  const nav = h("nav", { class: "tabs", "aria-label": t.views.label }, ...links);
  header.append(nav);
  return (view) => {
    for (const [index, each] of links.entries()) {
      if (VIEWS[index] === view) {
        each.setAttribute("aria-current", "page");
        // On the smallest screens the row of links is wider than that.
        nav.scrollLeft = each.offsetLeft + each.offsetWidth - nav.offsetLeft - nav.clientWidth;
      } else each.removeAttribute("aria-current");
    }
  };
}

/** Fill the footer: the way to the API reference, the version, and what limits the service. */
export function fillFooter(footer) {
  const version = h("span", {}, t.name);
  const forget = button(
    t.footer.forget,
    () => {
      setKey(null);
      flash(t.footer.forgotten);
    },
    { kind: "text" },
  );
  const limits = h("p", { class: "limits", hidden: true });
  onKey((key) => (forget.hidden = !key));
  forget.hidden = !currentKey();
  footer.append(version, h("a", { href: "docs" }, t.footer.docs), forget, limits);
  onKey((key) => key && tell(version, limits));
  return tell(version, limits);
}

async function tell(version, limits) {
  // Both are told only if they can be had: without them the page works as well.
  const [about, health] = await Promise.allSettled([api.version(), api.health()]);
  if (about.value) version.textContent = t.footer.version(about.value.version);
  if (health.value?.status !== "degraded") return;
  limits.textContent = t.footer.degraded((health.value.problems ?? []).join(" "));
  limits.hidden = false;
}
