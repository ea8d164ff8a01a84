import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chart } from '../../bench/report/chart.ts';
import { Results } from '../../bench/report/results.ts';
import { notesOn, round, scenarioTable } from '../../bench/report/tables.ts';
import { saturated } from '../../bench/scenarios/saturated.ts';

describe('the report', () => {
  const sample = { figure: 'saturated.rate', round: 1, doubts: { loadBound: false, disturbed: false } };
  const results = new Results([
    { ...sample, of: 'ws', value: 69_000 },
    { ...sample, of: 'gapless', value: 300_000, doubts: { loadBound: true, disturbed: false } },
  ]);

  it('has a row for each contender, Gapless first, and the ratios', () => {
    const lines = scenarioTable(saturated, results).split('\n');
    assert.deepEqual(
      lines.slice(2).map((line) => line.split('|').map((cell) => cell.trim())),
      [
        ['', 'Gapless', '300,000†', '', ''],
        ['', 'a bare ws loop', '69,000', '', ''],
        ['', 'Gapless : a bare ws loop', '4.35', '', ''],
      ],
    );
    assert.equal(new Set(lines.map(({ length }) => length)).size, 1);
  });

  it('explains the marks that occur', () => {
    const [note, ...others] = notesOn(scenarioTable(saturated, results));
    assert.match(note ?? '', /^† The load’s core, .* was fully used/);
    assert.deepEqual(others, []);
  });

  it('rounds to three significant digits', () => {
    assert.deepEqual([0, 0.01234, 1.2345, 12.345, 123.45, 1_234_567].map(round), ['0.00', '0.01', '1.23', '12.3', '123', '1,234,567']);
  });

  it('draws bars in proportion, and escapes text', () => {
    const svg = chart('A & B', [
      { title: '<a>', value: 100, label: '100 µs', own: true },
      { title: 'b', value: 25, label: '25 µs', own: false },
    ]);
    assert.deepEqual(
      [...svg.matchAll(/<rect class="(\w+)" .*? width="([\d.]+)"/g)].map(([, name, width]) => [name, width]),
      [
        ['own', '400.0'],
        ['bar', '100.0'],
      ],
    );
    assert.ok(svg.includes('A &amp; B') && svg.includes('&lt;a&gt;') && !svg.includes('<a>'));
  });
});
