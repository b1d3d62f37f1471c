import { parseArguments, UsageError } from '../../benchmarks/arguments';

const possible = { suites: ['programs', 'gemm'], peers: ['torch', 'ort'] };
const parse = (...words: string[]) => parseArguments(words, possible);

describe('arguments of the benchmarks', () => {
  test('without any: all suites, one and two threads, no peers', () =>
    expect(parse()).toEqual({
      suites: ['programs', 'gemm'],
      threads: [1, 2],
      filter: new RegExp(''),
      peers: [],
      json: null,
      html: null,
      brief: false,
    }));

  test('each of them', () =>
    expect(
      parse(
        'gemm',
        '--threads',
        '4',
        '--filter',
        '^a',
        '--peers',
        'ort,torch',
        '--json',
        'rows.json',
        '--html',
        'a.html',
        '--brief',
      ),
    ).toEqual({
      suites: ['gemm'],
      threads: [4],
      filter: /^a/,
      peers: ['ort', 'torch'],
      json: 'rows.json',
      html: 'a.html',
      brief: true,
    }));

  test.each([
    [['dance'], "unknown suite 'dance'; possible are programs, gemm"],
    [['--peers', 'torch,jax'], "unknown peer 'jax'; possible are torch, ort"],
    [['--threads', '0'], "--threads takes integers from 1 to 64, got '0'"],
    [['--threads', '1,x'], "--threads takes integers from 1 to 64, got '1,x'"],
    [['--threads', ''], "--threads takes integers from 1 to 64, got ''"],
    [['--filter', '('], '--filter takes a regular expression'],
    [['--speed', '1'], "'--speed'"],
    [['--json'], '--json'],
  ])('%j is refused', (words, message) => {
    expect(() => parse(...words)).toThrow(UsageError);
    expect(() => parse(...words)).toThrow(message);
  });
});
