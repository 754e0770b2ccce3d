/* Line numbers beside texts with the class wf-code, and a way from a problem to its line.
   Without this script everything works, only less comfortably. */
"use strict";

(function () {
  function count(text) {
    return text.split("\n").length;
  }

  function number(area) {
    const editor = document.createElement("div");
    const gutter = document.createElement("div");
    editor.className = "wf-editor";
    gutter.className = "wf-gutter";
    gutter.setAttribute("aria-hidden", "true");
    const focused = document.activeElement === area;
    area.parentNode.insertBefore(editor, area);
    editor.append(gutter, area);
    if (focused) {
      // Moving it took the focus away from whoever had begun to write.
      area.focus();
    }
    area.setAttribute("wrap", "off");
    let shown = 0;

    function follow() {
      const lines = count(area.value);
      if (lines !== shown) {
        shown = lines;
        gutter.textContent = Array.from({ length: lines }, (_, index) => index + 1).join("\n");
      }
      gutter.scrollTop = area.scrollTop;
    }

    function fit() {
      gutter.style.height = area.offsetHeight + "px";
      follow();
    }

    area.addEventListener("input", follow);
    area.addEventListener("scroll", follow);
    if (window.ResizeObserver) {
      new ResizeObserver(fit).observe(area);
    }
    fit();
  }

  function show(area, line, column) {
    const lines = area.value.split("\n");
    const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    const end = before + (lines[line - 1] || "").length;
    area.focus();
    area.setSelectionRange(Math.min(before + column - 1, end), end);
    area.scrollTop = (area.scrollHeight / lines.length) * Math.max(line - 6, 0);
  }

  function begin() {
    document.querySelectorAll("textarea.wf-code").forEach(number);
    document.querySelectorAll("a[data-wf-line]").forEach(function (link) {
      link.addEventListener("click", function (event) {
        const area = document.querySelector(link.hash);
        if (area) {
          event.preventDefault();
          show(area, Number(link.dataset.wfLine), Number(link.dataset.wfColumn));
          area.scrollIntoView({ block: "nearest" });
        }
      });
    });
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", begin);
  } else {
    begin();
  }
})();
