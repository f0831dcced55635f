/** Pieces of SVG: escaped text, numbers, and the colours that say which device. */

const SPECIAL: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Text as content or attribute value; characters XML forbids are replaced. */
export function escapeText(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML does not allow
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replace(/[&<>"']/g, (character) => SPECIAL[character] ?? character)
  );
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element; `content` is SVG already, attribute values are not. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) => ` ${key}="${typeof value === 'number' ? short(value) : escapeText(String(value))}"`,
    )
    .join('');
  return content === '' ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`;
}

export interface TextOptions {
  readonly size?: number;
  /** A class of STYLE: `ink`, `muted` or `strong`. */
  readonly look?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  /** Longest width in pixels; what is longer ends in an ellipsis. */
  readonly width?: number;
}

export function text(x: number, y: number, content: string, options: TextOptions = {}): string {
  const { size = 12, look = 'ink', anchor, width } = options;
  const shown = width === undefined ? content : clipped(content, Math.floor(width / (size * EM)));
  return element('text', { x, y, class: look, 'font-size': size, 'text-anchor': anchor }, escapeText(shown));
}

/** Mean width of a character in units of the font's size, rounded up: there is no font to measure. */
const EM = 0.56;

export function clipped(content: string, characters: number): string {
  const all = [...content];
  return all.length <= characters ? content : `${all.slice(0, Math.max(1, characters - 1)).join('')}\u2026`;
}

/** Lines of at most `width` pixels, broken between words. */
export function lines(content: string, width: number, size = 12): string[] {
  const most = Math.floor(width / (size * EM));
  const made: string[] = [];
  for (const word of content.split(/\s+/)) {
    const last = made.at(-1);
    if (last === undefined || last.length + 1 + word.length > most) made.push(word);
    else made[made.length - 1] = `${last} ${word}`;
  }
  return made;
}

/** A coordinate with a tenth of a pixel. */
function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Colours that people with colour blindness tell apart too (Okabe and Ito 2008), in an order that starts calm. */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#8c6bb1', '#8a8a00'];
/** Degrees of hue between one further colour and the next: the golden angle never comes round. */
const GOLDEN = 137.5;

/** One colour per device, in the order of the fleet. */
export function deviceColours(ids: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    ids.map((id, at) => [id, COLOURS[at] ?? `hsl(${Math.round((at * GOLDEN) % 360)}, 55%, 50%)`]),
  );
}

/** Colours of everything that is no device; readable on a light and on a dark page. */
export const STYLE = `
.page{fill:#ffffff}.ink{fill:#1f2328}.muted{fill:#59636e}.strong{fill:#1f2328;font-weight:600}
.box{fill:#f6f8fa;stroke:#d1d9e0}.line{stroke:#818b98;fill:none}.head{fill:#818b98}
.sky{fill:#e8eef4}.far{fill:#d3dde6}.near{fill:#bfcbd6}.sun{fill:#f7f3e3}.edge{fill:none;stroke:#818b98}
@media (prefers-color-scheme: dark){
.page{fill:#0d1117}.ink{fill:#e6edf3}.muted{fill:#9198a1}.strong{fill:#e6edf3}
.box{fill:#151b23;stroke:#3d444d}.sky{fill:#1b2530}.far{fill:#26333f}.near{fill:#32414e}.sun{fill:#4a4a3a}
}`.replaceAll('\n', '');
