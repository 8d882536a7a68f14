import { html, render } from 'lit';
import { icon } from '../../ui/icons.ts';
import { codeReader } from '../../ui/read-code.ts';
import { roomWords as words } from '../../words/room.ts';

/** Between two looks at the camera's picture. */
const LOOK_MS = 150;
const INVITE = '#/join/';

interface Shown {
  readonly phase: 'starting' | 'looking' | keyof typeof words.camera;
  readonly note?: string;
}

/** Looks for the code of a room through the camera, or in a picture. Resolves with what it says; undefined: cancelled. */
export function scanInvite(): Promise<string | undefined> {
  const dialog = document.createElement('dialog');
  dialog.className = 'sheet scan';
  dialog.setAttribute('aria-labelledby', 'scan-title');
  const over = new AbortController();
  let shown: Shown = { phase: 'starting' };
  const reader = codeReader();

  const show = (change: Partial<Shown>) => {
    shown = { ...shown, ...change };
    draw();
  };
  const take = (text: string | undefined, missing?: string) => {
    if (text?.includes(INVITE)) dialog.close(text);
    else if (text !== undefined) show({ note: words.notInvite });
    else if (missing !== undefined) show({ note: missing });
  };
  const readPicture = async (event: Event) => {
    const input = event.target as HTMLInputElement;
    const [file] = input.files ?? [];
    input.value = '';
    if (!file) return;
    try {
      const picture = await createImageBitmap(file);
      take(await (await reader)(picture), words.noCode);
      picture.close();
    } catch {
      show({ note: words.noCode });
    }
  };
  const draw = () => {
    const { phase, note } = shown;
    const runs = phase === 'starting' || phase === 'looking';
    render(
      html`<h2 id="scan-title">${words.scanTitle}</h2>
        ${
          runs
            ? html`<div class="finder">
                <video playsinline muted aria-hidden="true"></video>
                <p class="note" role="status">${note ?? (phase === 'starting' ? words.scanStarting : words.scanLead)}</p>
              </div>`
            : html`<div class="line warn" role="alert">
                ${icon('warn')}
                <div>
                  <p>${words.camera[phase]}</p>
                  <p>${note ?? words.otherWays}</p>
                </div>
              </div>`
        }
        <div class="row end">
          <label class="btn filebutton">
            ${icon('picture')}${words.picture}
            <input type="file" accept="image/*" class="vh" @change=${readPicture} />
          </label>
          <button type="button" class="btn" @click=${() => dialog.close('')}>${words.cancel}</button>
        </div>`,
      dialog,
    );
  };
  draw();
  document.body.append(dialog);
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close('');
  });
  dialog.showModal();
  void look();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      over.abort();
      dialog.remove();
      resolve(dialog.returnValue === '' ? undefined : dialog.returnValue);
    });
  });

  async function look(): Promise<void> {
    let camera: MediaStream;
    try {
      camera = await openCamera();
    } catch (error) {
      show({ phase: cameraTrouble(error) });
      return;
    }
    const stop = () => {
      for (const track of camera.getTracks()) track.stop();
    };
    over.signal.addEventListener('abort', stop);
    const video = dialog.querySelector('video');
    if (over.signal.aborted || !video) {
      stop();
      return;
    }
    video.srcObject = camera;
    await video.play().catch(() => {}); // it was closed meanwhile
    show({ phase: 'looking' });
    const read = await reader;
    while (!over.signal.aborted) {
      take(await read(video));
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function openCamera(): Promise<MediaStream> {
  // where the page is not secure there is no such object, whatever the types say
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) return Promise.reject(new DOMException('', 'SecurityError'));
  return devices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 } } });
}

function cameraTrouble(error: unknown): keyof typeof words.camera {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError') return 'refused';
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy';
  return name === 'SecurityError' ? 'insecure' : 'none';
}
