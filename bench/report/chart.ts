// A chart of one figure: horizontal bars in SVG, for light and dark pages.

export interface Bar {
  readonly title: string;
  readonly value: number;
  /** The text after the bar. */
  readonly label: string;
  /** Whether it is Gapless. */
  readonly own: boolean;
}

/** All sizes are in pixels. */
const width = 720;
const titleWidth = 230;
const labelWidth = 90;
const rowHeight = 30;
const barHeight = 20;
const headHeight = 34;

const style = `
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .head { font-weight: 600 }
  .bar { fill: #8c959f }
  .own { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .bar { fill: #6e7681 }
    .own { fill: #4493f8 }
  }`;

/** Draws the bars from top to bottom. The longest one fills the width. */
export function chart(title: string, bars: readonly Bar[]): string {
  const longest = Math.max(...bars.map(({ value }) => value));
  const height = headHeight + bars.length * rowHeight;
  const rows = bars.map((bar, index) => {
    const y = headHeight + index * rowHeight;
    const length = Math.max(1, (bar.value / longest) * (width - titleWidth - labelWidth));
    const middle = y + barHeight / 2;
    return `  <text x="${titleWidth - 10}" y="${middle}" text-anchor="end" dominant-baseline="central">${escapeXml(bar.title)}</text>
  <rect class="${bar.own ? 'own' : 'bar'}" x="${titleWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="3"/>
  <text x="${(titleWidth + length + 8).toFixed(1)}" y="${middle}" dominant-baseline="central">${escapeXml(bar.label)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">
  <style>${style}
  </style>
  <text class="head" x="0" y="14" dominant-baseline="central">${escapeXml(title)}</text>
${rows.join('\n')}
</svg>
`;
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escapeXml = (text: string) => text.replace(/[&<>"]/g, (character) => escapes[character] as string);
