/** Numbers evenly spread over [-1, 1), the same for the same name and shape. */
export function randomValues(name: string, shape: readonly number[]): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let state = 1;
  for (const character of name) state = (Math.imul(state, 31) + character.charCodeAt(0)) >>> 0;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = ((state >>> 8) / 2 ** 24) * 2 - 1;
  }
  return values;
}
