import { portContract } from '../../support/portContract.ts';
import { zerocopyPair } from './zerocopyPair.ts';

portContract({
  name: 'xdp: zero-copy over virtio-net',
  open: zerocopyPair,
  skip: {
    'frames arrive in order and none is lost, in bursts of every size':
      "QEMU's wire may swap adjacent frames; zerocopy.guest.ts proves that none is lost",
    'a frame over several chunks arrives whole': 'virtio-net has no multi-buffer in zero-copy mode',
  },
});
