// Where the page starts: one view is shown at a time, the one that the address names.

import { setKeyAsker } from "./api.js";
import { CollectionsView } from "./collections/view.js";
import { CompareView } from "./compare/view.js";
import { fetchIcons } from "./dom.js";
import { DuplicatesView } from "./duplicates/view.js";
import { MapView } from "./map/view.js";
import { listenForPictures } from "./picture-input.js";
import { askForKey } from "./key-dialog.js";
import { announcer } from "./notice.js";
import { notify, onRoute } from "./route.js";
import { SearchView } from "./search/view.js";
import { fillFooter, fillHeader } from "./shell.js";
import { language, t } from "./strings.js";

const main = document.querySelector("main");
const entitle = () => (document.title = `${shown.title()} – ${t.name}`);
const views = {
  search: new SearchView({ onTitle: entitle }),
  compare: new CompareView(),
  collections: new CollectionsView(),
  duplicates: new DuplicatesView(),
  map: new MapView(),
};
let shown = null;

document.documentElement.lang = language;
setKeyAsker(askForKey);
document.body.append(announcer);
const mark = fillHeader(document.querySelector("header"), main);

async function show(place) {
  const view = views[place.view];
  const isOther = view !== shown;
  if (isOther) {
    shown?.hide();
    main.replaceChildren(view.element);
    shown = view;
    mark(place.view);
  }
  if (place.fresh) scrollTo(0, 0);
  const showing = view.show(place);
  entitle();
  await showing;
}

listenForPictures({
  receive: (files, target) => shown.receive(files, target),
  receiveAll: (given) => shown.receiveAll(given),
  takesAll: () => shown.takesAll ?? false,
  overlay: () => shown.overlay,
});
onRoute(show);
fetchIcons();
notify();
fillFooter(document.querySelector("footer"));
