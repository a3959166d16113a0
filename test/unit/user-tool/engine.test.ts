import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EvaluationRequest, type EvaluationResult, LIMITS } from '../../../node/toolbox/user-tool/evaluation.js';
import { ThreadIsolate } from '../../../node/toolbox/user-tool/isolate.js';
import { systemClock } from '../../../protocol/runtime/clock.js';
import { type Compiled, compileEntry } from '../jobs/compile.js';
import { hereIsolate } from './here-isolate.js';

const here = hereIsolate();

function request(code: string, inputs: unknown = {}, more: Partial<EvaluationRequest> = {}): EvaluationRequest {
  const json = JSON.stringify(inputs);
  return {
    libraries: [],
    plain: json,
    marked: [json],
    runtime: '{"cores":4}',
    expressions: [{ kind: 'expression', code }],
    ...more,
  };
}

async function value(code: string, inputs: unknown = {}, more: Partial<EvaluationRequest> = {}): Promise<string> {
  const result = await here.evaluate(request(code, inputs, more));
  if ('fault' in result) throw new Error(result.fault.reason);
  return result.values[0]?.plain ?? '';
}

const fault = (result: EvaluationResult) => ('fault' in result ? result.fault : undefined);

describe('the engine', () => {
  it('gives texts as they are and everything else as JSON', async () => {
    expect(await value('inputs.a + "b"', { a: 'a' })).toBe('ab');
    expect(await value('inputs.n * 2', { n: 1.5 })).toBe('3');
    expect(await value('inputs.list.map((one) => one.path)', { list: [{ path: '/x' }] })).toBe('["/x"]');
    expect(await value('null')).toBe('null');
    expect(await value('runtime.cores')).toBe('4');
  });

  it('evaluates function bodies, with the functions of the libraries', async () => {
    const expressions: EvaluationRequest['expressions'] = [
      { kind: 'body', code: 'const x = twice(inputs.n); return x;' },
    ];
    const libraries = ['function twice(n) { return 2 * n; }'];
    expect(await value('', { n: 21 }, { expressions, libraries })).toBe('42');
  });

  it('has no function of the host, no files, no time to wait and no network', async () => {
    const names = ['process', 'require', 'console', 'fetch', 'setTimeout', 'std', 'os', 'WebAssembly', 'module'];
    for (const name of names) expect(await value(`typeof ${name}`)).toBe('undefined');
    expect(await value('(0, eval)("typeof this.process + typeof globalThis.require")')).toBe('undefinedundefined');
    expect(
      fault(await here.evaluate(request('import("node:fs")')))?.reason ?? 'a promise, which is no file',
    ).toBeTruthy();
    expect(await value('[].constructor.constructor("return typeof process")()')).toBe('undefined');
  });

  it('does not let an expression change what the next one sees', async () => {
    const result = await here.evaluate(
      request(
        '',
        { a: { b: 1 } },
        {
          expressions: [
            { kind: 'body', code: 'globalThis.seen = 1; Array.prototype.join = () => "changed"; return "x";' },
            { kind: 'expression', code: 'typeof seen + [1, 2].join("-")' },
          ],
        },
      ),
    );
    expect('values' in result && result.values.map(({ plain }) => plain)).toEqual(['x', 'undefined1-2']);
    expect(fault(await here.evaluate(request('inputs.a.b = 2', { a: { b: 1 } })))?.reason).toContain('TypeError');
    expect(await value('(function () { try { delete inputs.a } catch (e) { return "no" } })()', { a: 1 })).toBe('no');
  });

  it.each([
    ['a loop without end', 'while (true) {}', 'it does not come to an end'],
    ['a pattern that goes back for ever', 'return /(a+)+$/.test("a".repeat(40) + "b")', 'it does not come to an end'],
    ['text without end', 'let s = "x"; for (;;) s += s', 'it exhausts the memory that it may use'],
    [
      'a list without end',
      'const a = []; for (;;) a.push(new Uint8Array(1000000))',
      'it exhausts the memory that it may use',
    ],
    ['calls without end', 'const f = () => f() + 1; return f()', 'it calls itself too deeply'],
    ['a result that is too long', 'return "x".repeat(2000000)', 'it gives more than 1048576 characters'],
    ['no result', 'return undefined', 'it gives no value'],
    ['a function as result', 'return () => 1', 'it gives no value'],
    ['an error of its own', 'throw new Error("no reads")', 'Error: no reads'],
    ['a name that is not there', 'return nothing.x', "ReferenceError: 'nothing' is not defined"],
  ])('stops %s and says what it was', async (_, code, reason) => {
    const result = await here.evaluate(request('', {}, { expressions: [{ kind: 'body', code }] }));
    expect(fault(result)).toMatchObject({ where: 'expression', index: 0, reason });
  });

  it('says the line of a mistake', async () => {
    const body = (code: string) => request('', {}, { expressions: [{ kind: 'body', code }] });
    expect(fault(await here.evaluate(body('const a = 1;\nconst b = 2;\nreturn nothing;')))?.line).toBe(2);
    expect(fault(await here.evaluate(body('const a = 1;\nreturn a +;')))?.line).toBe(1);
    const library = request('f()', {}, { libraries: ['function ok() {}', '\n\nfunction f( {'] });
    expect(fault(await here.evaluate(library))).toMatchObject({ where: 'library', index: 1, line: 2 });
  });

  it('checks without running', async () => {
    expect(fault(await here.evaluate(request('while(1);', {}, { checkOnly: true })))?.reason).toContain('SyntaxError');
    expect(fault(await here.evaluate(request('nothing.at.all()', {}, { checkOnly: true })))).toBeUndefined();
  });

  it('goes on after what broke it', async () => {
    const deep = 'let o = {}; for (let i = 0; i < 100000; i++) o = { o }; return JSON.stringify(o)';
    const result = await here.evaluate(request('', {}, { expressions: [{ kind: 'body', code: deep }] }));
    expect(fault(result)?.reason).toMatch(/too deeply|memory|come to an end/);
    expect(await value('1 + 1')).toBe('2');
  });
});

describe('the isolate', () => {
  let compiled: Compiled;
  beforeAll(() => {
    compiled = compileEntry('node/toolbox/user-tool/isolate-main.ts');
  });
  afterAll(() => compiled.remove());
  const isolate = (wallMs: number = LIMITS.wallMs) =>
    new ThreadIsolate({ clock: systemClock }, { entry: compiled.entry, wallMs });

  it('answers requests in order, and again after it had nothing to do', async () => {
    const one = isolate();
    const answers = await Promise.all([1, 2, 3].map((n) => one.evaluate(request('inputs.n', { n }))));
    expect(answers.map((answer) => 'values' in answer && answer.values[0]?.plain)).toEqual(['1', '2', '3']);
    expect(fault(await one.evaluate(request('nothing')))?.reason).toContain('ReferenceError');
  });

  it('ends a loop that cannot be interrupted, and serves the next request', async () => {
    const one = isolate(1500);
    const endless = one.evaluate(request('Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)'));
    const next = one.evaluate(request('"still here"'));
    expect(fault(await endless)?.reason).toBe('it does not come to an end');
    expect(await next).toMatchObject({ values: [{ plain: 'still here' }] });
  });
});
