/** Reads QR codes in camera frames and pictures: by the browser where it can, else by a decoder loaded for it. */
export type CodeReader = (source: HTMLVideoElement | ImageBitmap) => Promise<string | undefined>;

/** The Shape Detection API, which TypeScript's library does not have yet. */
interface Detector {
  detect(source: ImageBitmapSource): Promise<readonly { readonly rawValue: string }[]>;
}
interface DetectorClass {
  new (options: { readonly formats: readonly string[] }): Detector;
  getSupportedFormats(): Promise<readonly string[]>;
}

/** Longest side that is looked at, CSS pixels: more takes longer and finds no more. */
const LONGEST_FRAME = 800;
const LONGEST_PICTURE = 1600;

export async function codeReader(): Promise<CodeReader> {
  let detector = await ownDetector();
  const decode = decoder();
  return async (source) => {
    if (detector) {
      try {
        return (await detector.detect(source))[0]?.rawValue;
      } catch {
        // Chromium names the format also where the system's service for it is missing.
        detector = undefined;
      }
    }
    return decode(source);
  };
}

async function ownDetector(): Promise<Detector | undefined> {
  const { BarcodeDetector } = globalThis as { readonly BarcodeDetector?: DetectorClass };
  try {
    const formats = await BarcodeDetector?.getSupportedFormats();
    return BarcodeDetector && formats?.includes('qr_code') ? new BarcodeDetector({ formats: ['qr_code'] }) : undefined;
  } catch {
    return undefined;
  }
}

function decoder(): CodeReader {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return async (source) => {
    const { decodeQR } = await import('qr/decode.js');
    const isVideo = source instanceof HTMLVideoElement;
    const width = isVideo ? source.videoWidth : source.width;
    const height = isVideo ? source.videoHeight : source.height;
    if (!context || width === 0 || height === 0) return undefined;
    const scale = Math.min(1, (isVideo ? LONGEST_FRAME : LONGEST_PICTURE) / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    try {
      return decodeQR(context.getImageData(0, 0, canvas.width, canvas.height));
    } catch {
      return undefined; // there is no code in it
    }
  };
}
