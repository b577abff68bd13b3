import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  address,
  addressOrOff,
  collide,
  formatAddress,
  loopbackAddress,
} from '../../../sidecar/src/config/address.ts';
import { duration } from '../../../sidecar/src/config/duration.ts';
import { quantity } from '../../../sidecar/src/config/quantity.ts';

const bytes = quantity({ min: 0, max: Number.MAX_SAFE_INTEGER });
const milliseconds = duration(24 * 3_600_000);

describe('a quantity', () => {
  it.for([
    ['0', 0],
    ['1048576', 1_048_576],
    ['64Mi', 64 * 1024 * 1024],
    ['1Gi', 1024 ** 3],
    ['1G', 1e9],
    ['1k', 1_000],
    ['1e6', 1_000_000],
    ['1E3', 1_000],
    ['1.5Ki', 1_536],
    ['.5k', 500],
    ['1.1k', 1_100],
    ['0.3', 1],
    ['2.', 2],
  ] as const)('reads %s as %i bytes', ([text, expected]) => {
    expect(bytes(text)).toBe(expected);
  });

  it.for([
    '',
    ' ',
    '-1',
    '+',
    '64mi',
    '64 Mi',
    '64MB',
    '1K',
    'Mi',
    '1e',
    '1e6Mi',
    '0x10',
    '1_000',
    'NaN',
    'Infinity',
    '0e999',
    '9Pi9',
  ])('refuses %j', (text) => {
    expect(() => bytes(text)).toThrow('is not a number of bytes');
  });

  it('refuses what lies outside of its range', () => {
    const few = quantity({ min: 10, max: 20 });
    expect(few('10')).toBe(10);
    expect(() => few('9')).toThrow('between 10 and 20');
    expect(() => few('21')).toThrow('between 10 and 20');
    for (const text of ['1e400', '1Ei', '1E', '9999999999Pi']) {
      expect(() => few(text)).toThrow('between 10 and 20');
    }
  });
});

describe('a duration', () => {
  it.for([
    ['0', 0],
    ['20s', 20_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['1h', 3_600_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['1μs', 0.001],
    ['1h2m3s4ms', 3_723_004],
  ] as const)('reads %s as %d ms', ([text, expected]) => {
    expect(milliseconds(text)).toBe(expected);
  });

  it.for(['', '20', '-1s', 's', '1', '1d', '1s ', '1s1', 'PT20S', '1.5'])('refuses %j', (text) => {
    expect(() => milliseconds(text)).toThrow('is not a duration');
  });

  it('refuses one that is too long', () => {
    expect(() => milliseconds('25h')).toThrow('longer than 24h');
  });

  it('is the sum of its terms', () => {
    const term = fc.tuple(fc.nat(1_000), fc.constantFrom('ms', 's', 'm'));
    fc.assert(
      fc.property(fc.array(term, { minLength: 1, maxLength: 5 }), (terms) => {
        const texts = terms.map(([n, unit]) => `${n}${unit}`);
        const sum = texts.reduce((total, text) => total + milliseconds(text), 0);
        fc.pre(sum <= 24 * 3_600_000);
        expect(milliseconds(texts.join(''))).toBeCloseTo(sum, 6);
      }),
    );
  });
});

describe('an address', () => {
  it.for([
    ['127.0.0.1:8085', { host: '127.0.0.1', port: 8085 }],
    ['[::1]:8085', { host: '::1', port: 8085 }],
    ['localhost:8085', { host: '127.0.0.1', port: 8085 }],
    [':8086', { port: 8086 }],
    ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
    ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
  ] as const)('reads %s', ([text, expected]) => {
    expect(address(text)).toEqual(expected);
  });

  it.for([
    '',
    '8085',
    'localhost',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:http',
    '::1:8085',
    '[::1]',
    '[127.0.0.1]:80',
    '[]:80',
    'db.example:80',
    '127.1:80',
    '0177.0.0.1:80',
    'http://127.0.0.1:80',
    '127.0.0.1:80/',
    ' 127.0.0.1:80',
  ])('refuses %j', (text) => {
    expect(() => address(text)).toThrow(/^is .*, (which is not an address|whose host is not)/);
  });

  it.for(['127.0.0.1:1', '127.255.255.254:1', '[::1]:1', '[0:0:0:0:0:0:0:1]:1', 'localhost:1'])(
    'is loopback: %s',
    (text) => {
      expect(loopbackAddress(text).port).toBe(1);
    },
  );

  it.for([':1', '0.0.0.0:1', '[::]:1', '10.0.0.1:1', '128.0.0.1:1', '[::2]:1', '[fe80::1]:1'])(
    'is not loopback: %s',
    (text) => {
      expect(() => loopbackAddress(text)).toThrow('not a loopback address');
    },
  );

  it('may be off where that is allowed', () => {
    expect(addressOrOff('off')).toBe('off');
    expect(() => address('off')).toThrow();
  });

  it('is written as it was read', () => {
    for (const text of ['127.0.0.1:8085', '[::1]:8085', ':8086']) {
      expect(formatAddress(address(text))).toBe(text);
    }
  });

  it.for([
    ['127.0.0.1:1', ':1', true],
    ['127.0.0.1:1', '0.0.0.0:1', true],
    ['127.0.0.1:1', '127.0.0.1:1', true],
    ['127.0.0.1:1', '127.0.0.2:1', false],
    ['[::1]:1', ':1', true],
    ['127.0.0.1:1', '[::]:1', true],
    ['[::1]:1', '0.0.0.0:1', false],
    ['127.0.0.1:1', ':2', false],
    ['127.0.0.1:0', ':0', false],
  ] as const)('%s and %s collide: %s', ([a, b, expected]) => {
    expect(collide(address(a), address(b))).toBe(expected);
  });
});
