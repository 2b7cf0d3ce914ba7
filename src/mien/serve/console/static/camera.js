// The device's camera: a picture taken by hand, or a stream of them.
import { button, dialog, failure, h, note, show } from "./parts.js";

/** A stream of the camera, or a sentence why there is none. `facing`: "user" or "environment". */
export async function opened(facing = "user") {
  if (!navigator.mediaDevices?.getUserMedia) throw { message: "The camera cannot be used here.", remedy: "Browsers allow it only on https or on this machine itself: open the console over https." };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } }, audio: false });
  } catch (error) {
    const refused = error.name === "NotAllowedError";
    throw { message: refused ? "The camera was not allowed." : "There is no camera that can be used.", remedy: refused ? "Allow it in the browser's settings for this page, then try again." : "Connect one, close other programs that use it, then try again." };
  }
}

export function stop(stream) { for (const track of stream?.getTracks() ?? []) track.stop(); }

/** What a video element shows now, as a JPEG no wider than `width` px. */
export function shot(video, width = 1280, quality = 0.92) {
  const scale = Math.min(1, width / video.videoWidth);
  const canvas = h("canvas", { width: Math.round(video.videoWidth * scale), height: Math.round(video.videoHeight * scale) });
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
}

const LOOK = 900; // ms from one look at what the camera shows to the next

/** A dialog that takes one picture; resolves with a File, or null. `advise(file)` gives words on what is seen right now. */
export async function taken(advise = null, title = "Take a picture") {
  let stream = null;
  const found = await dialog(title, (close) => {
    const video = h("video.viewfinder", { autoplay: true, playsinline: true, muted: true, aria: { label: "What the camera sees" } });
    const take = button("Take the picture", async () => close(named(await shot(video))), { how: "lead", disabled: true });
    const place = h("div", { aria: { live: "polite" } }, note("calm", h("p", "Starting the camera …")));
    const watch = async () => {
      while (advise && video.isConnected) {
        try {
          const told = h("div", await advise(named(await shot(video, 960, 0.85))));
          if (told.textContent !== place.textContent) show(place, told); // said again only when it is something else
        } catch { return; }
        await new Promise((done) => setTimeout(done, LOOK));
      }
    };
    opened().then((got) => {
      stream = got;
      if (!video.isConnected) { stop(got); return; }
      video.srcObject = got;
      video.addEventListener("loadeddata", () => { take.disabled = false; show(place); take.focus(); watch(); }, { once: true });
    }, (error) => show(place, failure(error)));
    return [video, place, h("div.actions", button("Cancel", () => close()), take)];
  });
  stop(stream);
  return found;
}

const named = (picture) => new File([picture], `camera ${new Date().toTimeString().slice(0, 8)}.jpg`, { type: "image/jpeg" });
