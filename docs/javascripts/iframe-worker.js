// Browsers start no worker for a page that was opened from a folder (file:). The site's search wants
// one: here it gets a hidden frame that runs the worker's script and exchanges messages with it.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      const deliver = (target, data) => target.dispatchEvent(new MessageEvent("message", { data }));
      inside.postMessage = (data) => deliver(this, data);
      this.ready = new Promise((resolve) => {
        const script = inside.document.createElement("script");
        script.src = url;
        script.onload = resolve;
        inside.document.body.append(script);
      });
      this.postMessage = (data) => this.ready.then(() => deliver(inside, data));
    }
  };
}
