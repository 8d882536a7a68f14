/**
 * Labels that publishers put into file names, and what llama.cpp writes under them. A label names the most frequent
 * type, not all: Q4_K_M holds Q4_K and Q6_K, but Q5_0 where rows are no multiple of 256; Q4_K_S holds some Q5_K.
 */
const LABEL =
  /(?:^|[-_.])((?:UD-)?(?:IQ\d_(?:XXS|XS|S|M|NL|XL)|Q\d_K(?:_(?:XXL|XL|L|M|S|XS))?|Q\d_\d(?:_\d_\d)?|TQ\d_\d|BF16|F(?:P)?16|F(?:P)?32|MXFP4(?:_MOE)?|NVFP4))(?=[-_.]|$)/gi;

const USABLE = new Set(['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q4_K', 'Q4_K_M', 'Q4_K_L', 'Q6_K', 'Q6_K_L']);

/** 'Q4_K_M' of 'model-q4_k_m.gguf', 'UD-Q4_K_XL' of Unsloth's mixtures; undefined where the name has none. */
export function quantizationOf(file: string): string | undefined {
  const name = (file.split('/').at(-1) ?? file).replace(/\.gguf$/i, '');
  const label = [...name.matchAll(LABEL)].at(-1)?.[1];
  return label?.toUpperCase().replace(/^FP/, 'F');
}

/** Whether files of this label consist of types that Shoal computes with, as far as a label tells. */
export function isUsableQuantization(label: string): boolean {
  return USABLE.has(label.toUpperCase());
}

/** Which part of how many, of 'model-00001-of-00003.gguf'; undefined for a whole file. */
export function splitOf(file: string): { readonly index: number; readonly count: number } | undefined {
  const parts = /-(\d{5})-of-(\d{5})\.gguf$/i.exec(file);
  if (!parts || Number(parts[2]) < 2) return undefined;
  return { index: Number(parts[1]), count: Number(parts[2]) };
}
