import { portContract } from '../../support/portContract.ts';
import { zerocopyPair } from './zerocopyPair.ts';

const model = process.env.BAREWIRE_VM_MODEL;

portContract({
  name: `xdp: zero-copy over ${model}`,
  open: zerocopyPair,
  skip: {
    'a frame over several chunks arrives whole': `the driver of ${model} takes no multi-buffer in zero-copy mode`,
    ...(model === 'virtio' && {
      'frames arrive in order and none is lost, in bursts of every size':
        "QEMU's virtio-net swaps adjacent frames now and then; zerocopy.guest.ts proves that none is lost",
    }),
  },
});
