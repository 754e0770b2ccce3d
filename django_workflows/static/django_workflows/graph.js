/* Zooming and moving the picture of a workflow.

   <div data-wf-graph>
     <div class="wf-graph-tools" hidden> <button type="button" data-wf-zoom="in"> ...
     <div class="wf-graph-frame" tabindex="0"> <svg class="wf-graph"> ...

   The frame scrolls, so keys, touch and Tab from state to state work as everywhere, and
   without this script too. Zooming only sets the picture's width and height. What was
   chosen outlasts a picture that is put in place of another. */

(function () {
  "use strict";

  const STEP = 1.25;
  const LEAST = 0.1;
  const MOST = 4;
  /** Scale and place of each view, by its id or its number on the page. */
  const kept = new Map();

  function parts(view) {
    const frame = view.querySelector(".wf-graph-frame");
    const picture = frame && frame.querySelector("svg.wf-graph");
    return picture ? { frame, picture, size: picture.viewBox.baseVal } : null;
  }

  function key(view) {
    return view.id || [...document.querySelectorAll("[data-wf-graph]")].indexOf(view);
  }

  function state(view) {
    if (!kept.has(key(view))) {
      kept.set(key(view), { scale: 1, left: null, top: null });
    }
    return kept.get(key(view));
  }

  /** Show *view* at *scale*; what is at the point (x, y) of the frame stays there. */
  function zoom(view, scale, x, y) {
    const found = parts(view);
    if (!found) {
      return;
    }
    const { frame, picture, size } = found;
    const chosen = state(view);
    scale = Math.min(MOST, Math.max(LEAST, scale));
    const centre = [x ?? frame.clientWidth / 2, y ?? frame.clientHeight / 2];
    const grown = scale / chosen.scale;
    const left = (frame.scrollLeft + centre[0]) * grown - centre[0];
    const top = (frame.scrollTop + centre[1]) * grown - centre[1];
    chosen.scale = scale;
    picture.setAttribute("width", size.width * scale);
    picture.setAttribute("height", size.height * scale);
    frame.scrollTo(left, top);
  }

  function fit(view) {
    const found = parts(view);
    if (found) {
      const { frame, size } = found;
      const scale = Math.min(frame.clientWidth / size.width, frame.clientHeight / size.height, 1);
      zoom(view, scale);
    }
  }

  function act(view, deed) {
    const scale = state(view).scale;
    if (deed === "in") {
      zoom(view, scale * STEP);
    } else if (deed === "out") {
      zoom(view, scale / STEP);
    } else if (deed === "fit") {
      fit(view);
    } else if (deed === "actual") {
      zoom(view, 1);
    } else {
      return false;
    }
    return true;
  }

  /** Have what is selected, or what goes on now, in the middle of the frame. */
  function reveal(frame, picture) {
    const node = picture.querySelector(".wf-graph-selected, .wf-graph-is-failed, .wf-graph-current");
    const box = node && node.querySelector(".wf-graph-box");
    if (box) {
      const [inner, outer] = [box.getBoundingClientRect(), frame.getBoundingClientRect()];
      frame.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
      frame.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
    } else {
      frame.scrollLeft = (frame.scrollWidth - frame.clientWidth) / 2;
    }
  }

  function begin(view) {
    const found = parts(view);
    if (!found || found.picture.dataset.wfReady) {
      return;
    }
    const { frame, picture, size } = found;
    picture.dataset.wfReady = "1";
    for (const tools of view.querySelectorAll(".wf-graph-tools")) {
      tools.hidden = false;
    }
    const chosen = state(view);
    if (chosen.scale !== 1) {
      picture.setAttribute("width", size.width * chosen.scale);
      picture.setAttribute("height", size.height * chosen.scale);
    }
    if (chosen.left === null) {
      reveal(frame, picture);
    } else {
      frame.scrollTo(chosen.left, chosen.top);
    }
    if (!frame.dataset.wfReady) {
      frame.dataset.wfReady = "1";
      frame.addEventListener("scroll", () => {
        chosen.left = frame.scrollLeft;
        chosen.top = frame.scrollTop;
      });
      drag(frame);
      frame.addEventListener(
        "wheel",
        (event) => {
          if (event.ctrlKey || event.metaKey) {
            event.preventDefault();
            const outer = frame.getBoundingClientRect();
            const factor = event.deltaY < 0 ? STEP : 1 / STEP;
            zoom(view, state(view).scale * factor, event.clientX - outer.left, event.clientY - outer.top);
          }
        },
        { passive: false },
      );
    }
  }

  /** Move the picture with the mouse; a click that did not move stays a click. */
  function drag(frame) {
    let from = null;
    frame.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.pointerType === "mouse") {
        from = { x: event.clientX, y: event.clientY, left: frame.scrollLeft, top: frame.scrollTop };
      }
    });
    frame.addEventListener("pointermove", (event) => {
      if (!from) {
        return;
      }
      const [x, y] = [event.clientX - from.x, event.clientY - from.y];
      if (!frame.classList.contains("wf-graph-moving") && Math.hypot(x, y) > 4) {
        frame.classList.add("wf-graph-moving");
        frame.setPointerCapture(event.pointerId);
      }
      if (frame.classList.contains("wf-graph-moving")) {
        frame.scrollTo(from.left - x, from.top - y);
      }
    });
    for (const end of ["pointerup", "pointercancel"]) {
      frame.addEventListener(end, () => {
        from = null;
        setTimeout(() => frame.classList.remove("wf-graph-moving"));
      });
    }
    frame.addEventListener("dragstart", (event) => event.preventDefault());
    frame.addEventListener(
      "click",
      (event) => {
        if (frame.classList.contains("wf-graph-moving")) {
          event.preventDefault();
          event.stopPropagation();
        }
      },
      true,
    );
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-wf-zoom]");
    const view = button && button.closest("[data-wf-graph]");
    if (view) {
      act(view, button.dataset.wfZoom);
    }
  });

  document.addEventListener("keydown", (event) => {
    const frame = event.target.closest && event.target.closest(".wf-graph-frame");
    const view = frame && frame.closest("[data-wf-graph]");
    if (!view || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const deed = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "actual" }[event.key];
    if (deed && act(view, deed)) {
      event.preventDefault();
    }
  });

  function all() {
    document.querySelectorAll("[data-wf-graph]").forEach(begin);
  }

  function watch() {
    all();
    new MutationObserver(all).observe(document.body, { childList: true, subtree: true });
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", watch);
  } else {
    watch();
  }
})();
