import { expect, it } from 'vitest';
import { requireProgram } from './require-program.ts';

it('says how to install a program that is missing, and nothing of one that is there', async () => {
  await expect(requireProgram('no-such-promtool', 'prometheus')).rejects.toThrow(
    /^no-such-promtool is missing: apt-get install prometheus$/,
  );
  await expect(requireProgram('sh', 'dash')).resolves.toBeUndefined();
});
