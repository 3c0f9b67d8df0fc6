// <lookalike-similar>: "more like this" for the page of a shop. One file, no build step; docs/widget.md says how.
(() => {
  "use strict";
  const NAME = "lookalike-similar";
  if (customElements.get(NAME)) return;

  const ORIGIN = document.currentScript?.src; // the service that this file comes from; of a module there is none
  const OPTIONS = ["k", "filter", "group-by", "dedupe", "diversity", "exclude-keys", "fallback", "min-score", "boost"];
  const OTHERS = ["src", "collection", "key", "api-key", "href", "label", "heading"];
  const AHEAD = "300px";
  const MOST_PLACEHOLDERS = 24;

  const style = new CSSStyleSheet(); // unlike a <style>, no Content-Security-Policy of the shop forbids it
  style.replaceSync(`
    :host { display: block; font: inherit; color: var(--lookalike-color, inherit); }
    :host([hidden]) { display: none !important; }
    h2 { font: inherit; font-weight: 600; margin: 0 0 .75em; }
    ul { display: grid; gap: var(--lookalike-gap, 1rem); list-style: none; margin: 0; padding: 0;
      grid-template-columns: repeat(auto-fill, minmax(min(var(--lookalike-width, 9rem), 45%), 1fr)); }
    li { min-width: 0; }
    a { color: inherit; text-decoration: none; display: block; border-radius: var(--lookalike-radius, .5rem); }
    a:hover .label { text-decoration: underline; }
    a:focus-visible { outline: 3px solid var(--lookalike-focus, Highlight); outline-offset: 3px; }
    .frame { display: block; aspect-ratio: var(--lookalike-ratio, 1); overflow: hidden;
      border-radius: var(--lookalike-radius, .5rem); background: var(--lookalike-background, #8881); }
    img { display: block; width: 100%; height: 100%; object-fit: var(--lookalike-fit, contain); }
    .label { display: block; min-height: 1.4em; margin-top: .4em; line-height: 1.4; overflow-wrap: anywhere; }
    .waiting .frame { animation: wait 1.2s ease-in-out infinite alternate; }
    @keyframes wait { to { opacity: .4; } }
    @media (prefers-reduced-motion: reduce) { .waiting .frame { animation: none; } }
  `);

  const failure = (message, code, status = 0) => Object.assign(new Error(message), { code, status });

  /** An element with the name of its part, its properties and children; no text is read as HTML. */
  const make = (tag, part, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    if (part) element.setAttribute("part", part);
    element.append(...children);
    return element;
  };

  const PLACEHOLDER = /\{([^{}]+)\}/g;

  /** The value that a placeholder names: a field of the hit, or a column of its metadata. Empty if there is none. */
  const valueOf = (hit, name) => {
    const column = name.startsWith("metadata.") ? name.slice(9) : name;
    const known = column === name && ["key", "title", "product_id", "score", "rank", "group"].includes(name);
    const value = known ? hit[name] : Object.hasOwn(hit.metadata, column) ? hit.metadata[column] : null;
    return value === null ? "" : Array.isArray(value) ? value.join(", ") : String(value);
  };

  const textOf = (template, hit) => template.replace(PLACEHOLDER, (_, name) => valueOf(hit, name)).trim();

  /** Where a hit leads; null without a place, or with one that is not http(s). */
  const linkOf = (template, hit) => {
    if (!template) return null;
    const alone = template.match(/^\{([^{}]+)\}$/); // an address as a whole
    let complete = true;
    const encode = (_, name) => {
      const value = valueOf(hit, name);
      complete &&= value !== "" && !/^\.+$/.test(value); // of dots alone it would lead to another folder
      return encodeURIComponent(value);
    };
    const text = alone ? valueOf(hit, alone[1]) : template.replace(PLACEHOLDER, encode);
    if (!complete || text === "" || !URL.canParse(text, document.baseURI)) return null;
    const url = new URL(text, document.baseURI);
    return /^https?:$/.test(url.protocol) ? url.href : null;
  };

  class Similar extends HTMLElement {
    static observedAttributes = [...OPTIONS, ...OTHERS];

    #root = this.attachShadow({ mode: "open" });
    #observer = new IntersectionObserver((entries) => this.#see(entries), { rootMargin: AHEAD });
    #controller = null;
    #pictures = [];
    #due = false;

    constructor() {
      super();
      this.#root.adoptedStyleSheets = [style];
    }

    connectedCallback() {
      this.#restart();
    }

    disconnectedCallback() {
      this.#stop();
      this.#root.replaceChildren();
    }

    attributeChangedCallback(name, before, now) {
      if (before !== now && this.isConnected) this.#restart();
    }

    #stop() {
      this.#controller?.abort();
      this.#controller = null;
      this.#observer.disconnect();
      for (const url of this.#pictures.splice(0)) URL.revokeObjectURL(url);
    }

    // Attributes that change one after the other are one change.
    #restart() {
      this.#stop();
      if (this.#due) return;
      this.#due = true;
      queueMicrotask(() => {
        this.#due = false;
        if (!this.isConnected) return;
        this.hidden = !this.getAttribute("key");
        if (this.hidden) return this.#root.replaceChildren();
        this.#wait();
        this.#observer.observe(this);
      });
    }

    #see(entries) {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.#observer.disconnect();
      this.#load();
    }

    async #load() {
      const controller = (this.#controller = new AbortController());
      try {
        const answer = await this.#fetch(this.#address(), controller.signal).then((response) => response.json());
        if (controller.signal.aborted) return;
        this.#show(answer, controller.signal);
        this.#tell("lookalike-results", { results: answer.results, answer });
      } catch (error) {
        if (controller.signal.aborted) return;
        this.hidden = true;
        this.#root.replaceChildren();
        const { status = 0, code = "unreachable", message } = error; // a fetch that failed has neither
        this.#tell("lookalike-error", { status, code, message });
      }
    }

    async #fetch(url, signal) {
      const key = this.getAttribute("api-key");
      const headers = key ? { Authorization: `Bearer ${key}` } : {};
      const response = await fetch(url, { headers, signal, credentials: "omit" });
      if (response.ok) return response;
      const { status, statusText } = response;
      const problem = await response.json().catch(() => ({}));
      throw failure(problem.detail ?? statusText, problem.code ?? `status-${status}`, status);
    }

    #address() {
      const parameters = new URLSearchParams({ k: 8 });
      for (const option of OPTIONS) {
        const value = this.getAttribute(option);
        if (value !== null) parameters.set(option.replace("-", "_"), value || (option === "dedupe" ? "true" : ""));
      }
      return `${this.#item(this.getAttribute("key"))}/similar?${parameters}`;
    }

    #item(key) {
      const collection = this.getAttribute("collection");
      const source = this.getAttribute("src") ?? ORIGIN?.replace(/\/widget\.js.*$/, "");
      if (!source || !collection) throw failure("src and collection are needed", "attribute-missing");
      const base = new URL(source, document.baseURI).href.replace(/\/+$/, "");
      return `${base}/collections/${encodeURIComponent(collection)}/items/${encodeURIComponent(key)}`;
    }

    #wait() {
      const count = Math.min(Number(this.getAttribute("k")) || 8, MOST_PLACEHOLDERS);
      const card = () =>
        make("li", "item skeleton", { className: "waiting" },
          make("span", "frame", { className: "frame" }), make("span", "label", { className: "label" }));
      this.#fill(Array.from({ length: count }, card)).ariaHidden = "true";
    }

    #show(answer, signal) {
      this.hidden = answer.results.length === 0;
      this.#fill(answer.results.map((hit) => make("li", "item", {}, this.#card(hit, signal))));
    }

    #fill(cards) {
      const heading = this.getAttribute("heading");
      const list = make("ul", "list", { role: "list", ariaLabel: heading || "More like this" }, ...cards);
      this.#root.replaceChildren(...(heading ? [make("h2", "heading", { textContent: heading })] : []), list);
      return list;
    }

    #card(hit, signal) {
      const label = textOf(this.getAttribute("label") ?? "{title}", hit) || hit.title || hit.key;
      const image = make("img", "image", { alt: label, decoding: "async", loading: "lazy" });
      this.#picture(image, `${this.#item(hit.key)}/thumbnail`, signal);
      const content = [
        make("span", "frame", { className: "frame" }, image),
        make("span", "label", { className: "label", textContent: label, ariaHidden: "true" }), // the image says it
      ];
      const href = linkOf(this.getAttribute("href"), hit);
      if (!href) return make("div", "card", {}, ...content);
      const link = make("a", "link", { href }, ...content);
      link.addEventListener("click", (event) => {
        if (!this.#tell("lookalike-click", { hit, href, event })) event.preventDefault();
      });
      return link;
    }

    // With an API key the picture is fetched, for an <img> sends no header.
    #picture(image, url, signal) {
      if (!this.hasAttribute("api-key")) {
        if (new URL(url).origin !== location.origin) image.crossOrigin = "anonymous";
        image.srcset = `${url}?size=256 1x, ${url}?size=512 2x`;
        image.src = `${url}?size=256`;
        return;
      }
      this.#fetch(`${url}?size=${devicePixelRatio > 1 ? 512 : 256}`, signal)
        .then((response) => response.blob())
        .then((data) => {
          if (signal.aborted) return;
          const place = URL.createObjectURL(data);
          this.#pictures.push(place);
          image.src = place;
        })
        .catch(() => {}); // its alternative text stands in its place
    }

    #tell(name, detail) {
      return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
    }
  }

  customElements.define(NAME, Similar);
})();
