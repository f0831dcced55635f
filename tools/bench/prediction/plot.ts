/** Predicted against measured, as a picture: on the line a prediction was right, between the dashes within 15 %. */

import { errorPercent, type PredictionResult } from './targets.ts';

const SIZE = 560;
const MARGIN = 64;
const BAND = 0.15;
const COLOURS = ['#1b7f5c', '#c98a2b', '#3c6fb4', '#a8443f', '#6d5a9c', '#4a4a4a'] as const;

/** An SVG document, both axes logarithmic. */
export function plot(results: readonly PredictionResult[]): string {
  const all = results.flatMap(({ measuredMs, simulatedMs }) => [measuredMs, simulatedMs]);
  const low = Math.min(...all) / 1.3;
  const high = Math.max(...all) * 1.3;
  const along = (ms: number): number =>
    MARGIN + ((SIZE - 2 * MARGIN) * Math.log(ms / low)) / Math.log(high / low);
  const x = (ms: number): string => along(ms).toFixed(1);
  const y = (ms: number): string => (SIZE - along(ms)).toFixed(1);
  const line = (factor: number, dashes: string): string =>
    `<line x1="${x(low)}" y1="${y(low * factor)}" x2="${x(high)}" y2="${y(high * factor)}" stroke="#888" ${dashes}/>`;
  const networks = [...new Set(results.map(({ network }) => network))];
  const colourOf = (network: string): string => COLOURS[networks.indexOf(network) % COLOURS.length] as string;
  const ticks = [30, 100, 300, 1000, 3000, 10_000].filter((ms) => ms > low && ms < high);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}" font-family="sans-serif" font-size="12">`,
    `<rect width="${SIZE}" height="${SIZE}" fill="#fff"/>`,
    '<text x="12" y="22" font-size="15">Latency of plans on several devices, ms: measured (across), predicted (up)</text>',
    line(1, ''),
    line(1 + BAND, 'stroke-dasharray="3 3"'),
    line(1 - BAND, 'stroke-dasharray="3 3"'),
    ...ticks.flatMap((ms) => [
      `<text x="${x(ms)}" y="${SIZE - MARGIN / 2}" text-anchor="middle">${ms}</text>`,
      `<text x="${MARGIN - 8}" y="${y(ms)}" text-anchor="end">${ms}</text>`,
    ]),
    ...results.map((result) => {
      const { network, plan, measuredMs, simulatedMs } = result;
      const title = `${network}, ${plan}: ${errorPercent(simulatedMs, result).toFixed(1)} %`;
      return `<circle cx="${x(measuredMs)}" cy="${y(simulatedMs)}" r="5" fill="${colourOf(network)}"><title>${title}</title></circle>`;
    }),
    ...networks.map(
      (network, at) =>
        `<text x="${MARGIN + 8}" y="${56 + 16 * at}" fill="${colourOf(network)}">${network}</text>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}
