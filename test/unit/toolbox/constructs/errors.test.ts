/** When a job has failed, and what is said of it. The numbers are how many real tools use what is tested. */
import { describe, expect, it } from 'vitest';
import { problemsOf, run } from './construct.js';

const verdict = async (
  command: string,
  more: { before?: string; commandAttributes?: string; attributes?: string } = {},
) => (await run({ command, ...more })).verdict;
const stdio = (rules: string) => ({ before: `<stdio>${rules}</stdio>` });

describe('when a job has failed', () => {
  it('errors <stdio> (992 tools): ranges of exit codes with their levels', async () => {
    const rules = stdio(`<exit_code range="1" level="warning" description="Little"/>
      <exit_code range="2:4" level="fatal" description="Much"/>
      <exit_code range="5" level="fatal_oom" description="Memory"/>
      <exit_code range="6" level="log" description="Nothing"/>
      <exit_code range="10:" description="Open"/>`);
    expect(await verdict('exit 0', rules)).toEqual({ state: 'ok' });
    expect(await verdict('exit 1', rules)).toEqual({ state: 'ok', message: 'Warning: Exit code 1: Little' });
    expect(await verdict('exit 3', rules)).toEqual({ state: 'error', message: 'Exit code 3: Much' });
    expect(await verdict('exit 5', rules)).toMatchObject({
      state: 'error',
      message: expect.stringContaining('ran out of memory'),
    });
    expect(await verdict('exit 6', rules)).toEqual({ state: 'ok' });
    expect(await verdict('exit 7', rules)).toEqual({ state: 'ok' });
    expect(await verdict('exit 200', rules)).toEqual({ state: 'error', message: 'Exit code 200: Open' });
    // What is on standard error is no failure once a wrapper says what is.
    expect(await verdict('echo noise >&2', rules)).toEqual({ state: 'ok' });
  });

  it('errors <stdio> (992 tools): open ends and one code of many spellings', async () => {
    for (const range of [':-1', ':', '1:', ' 3 : 5 ']) {
      expect(await problemsOf({ command: 'x', ...stdio(`<exit_code range="${range}"/>`) })).toEqual([]);
    }
    expect(await verdict('exit 9', stdio('<exit_code range=":-1"/><exit_code range="1:"/>'))).toMatchObject({
      state: 'error',
    });
    const [problem] = await problemsOf({ command: 'x', ...stdio('<exit_code range="many"/>') });
    expect(problem?.message).toContain('many');
  });

  it('errors <regex> (706 tools): fatal, warning, log and fatal_oom, on stdout, stderr or both', async () => {
    const rules = stdio(`<regex match="note:" source="stdout" level="log" description="Seen"/>
      <regex match="Careful" source="stderr" level="warning" description="Watch out"/>
      <regex match="^broken" source="both" level="fatal" description="It broke"/>
      <regex match="cannot allocate" level="fatal_oom" description="Memory"/>`);
    expect(await verdict("echo 'note: x'", rules)).toEqual({ state: 'ok' });
    expect(await verdict('echo careful >&2', rules)).toEqual({ state: 'ok', message: 'Warning: Watch out' });
    expect(await verdict('echo careful', rules)).toEqual({ state: 'ok' });
    expect(await verdict('echo BROKEN', rules)).toEqual({ state: 'error', message: 'It broke' });
    expect(await verdict('echo broken >&2', rules)).toEqual({ state: 'error', message: 'It broke' });
    expect(await verdict("echo 'Cannot allocate memory' >&2", rules)).toMatchObject({
      state: 'error',
      message: expect.stringContaining('ran out of memory'),
    });
    // An exit code means nothing to a wrapper that names only patterns.
    expect(await verdict('exit 3', rules)).toEqual({ state: 'ok' });
  });

  it('errors <regex> (706 tools): Python’s patterns, and a sentence where the wrapper has none', async () => {
    const rules = stdio('<regex match="(?P&lt;what&gt;disk|net)work (?P=what)" source="stderr"/>');
    expect(await verdict("echo 'network net' >&2", rules)).toMatchObject({
      state: 'error',
      message: expect.stringContaining('Matched on'),
    });
    const [problem] = await problemsOf({ command: 'x', ...stdio('<regex match="("/>') });
    expect(problem?.message).toContain('regular expression');
  });

  it('errors detect_errors="exit_code" (1246 tools)', async () => {
    const detect = { commandAttributes: 'detect_errors="exit_code"' };
    expect(await verdict("echo 'error: no' >&2", detect)).toEqual({ state: 'ok' });
    expect(await verdict('exit 1', detect)).toMatchObject({ state: 'error', message: 'Exit code 1' });
    const oom = { commandAttributes: 'detect_errors="exit_code" oom_exit_code="137"' };
    expect(await verdict('exit 137', oom)).toMatchObject({ message: expect.stringContaining('ran out of memory') });
  });

  it('errors detect_errors="aggressive" (389 tools)', async () => {
    const detect = { commandAttributes: 'detect_errors="aggressive"' };
    for (const said of ['Error: no', 'an exception: x', 'fatal ERROR:']) {
      expect([said, (await verdict(`echo '${said}'`, detect)).state]).toEqual([said, 'error']);
    }
    expect(await verdict('exit 2', detect)).toMatchObject({ state: 'error' });
    expect(await verdict('echo std::bad_alloc >&2', detect)).toMatchObject({
      message: expect.stringContaining('ran out of memory'),
    });
    expect(await verdict('echo terrors', detect)).toEqual({ state: 'ok' });
  });

  it('errors by the profile: anything on standard error before 16.04, the exit code since', async () => {
    expect(await verdict('echo noise >&2')).toMatchObject({ state: 'error' });
    expect(await verdict('exit 3')).toEqual({ state: 'ok' });
    expect(await verdict('echo noise >&2', { attributes: 'profile="16.04"' })).toEqual({ state: 'ok' });
    expect(await verdict('exit 3', { attributes: 'profile="16.04"' })).toMatchObject({ state: 'error' });
  });

  it('errors by the profile: since 20.09 the first step that fails ends the command', async () => {
    const command = "false ;\necho after > '$out'";
    expect((await run({ command, attributes: 'profile="20.09"' })).outputs.out).toBe('');
    expect((await run({ command, attributes: 'profile="20.05"' })).outputs.out).toBe('after\n');
    const set = { command, attributes: 'profile="20.05"', commandAttributes: 'strict="true"' };
    expect((await run(set)).verdict).toMatchObject({ state: 'error' });
  });
});
