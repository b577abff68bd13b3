import { noopStore } from '../../../sidecar/src/stores/noop.ts';
import { storeContract } from './contract.ts';

storeContract('none', async () => ({ store: noopStore, async remove() {} }), {
  notSupported: ['probe', 'complaint', 'warnings', 'gauges'],
});
