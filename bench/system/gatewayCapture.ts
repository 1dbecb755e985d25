import { Burst } from '../../src/core/index.ts';
import { buildLoopFrame } from '../../src/lane/loops/loopFrame.ts';
import { openPort } from '../../src/port/index.ts';
import { formatMac } from '../../src/wire/index.ts';

const FRAMES = 1024;
const FRAME_LEN = 64;

/** Writes a capture of frames of 64 bytes that go to one UDP port after the other. */
export function writeGatewayCapture(path: string, udpPorts: readonly number[]): void {
  using port = openPort(`pcap:?out=${path}`);
  const [{ bytes }] = port.regions as [(typeof port.regions)[number]];
  const sourceMac = formatMac(port.mac);
  const frames = udpPorts.map((udpPort) =>
    buildLoopFrame({ sourceMac, udpPort, frameLen: FRAME_LEN, mtu: port.mtu }),
  );
  const burst = new Burst(1);
  for (let i = 0; i < FRAMES; i++) {
    port.alloc(burst, 1);
    bytes.set(frames[i % frames.length]!, burst.addr[0]!);
    burst.len[0] = FRAME_LEN;
    burst.dropPrefix(port.tx(burst));
  }
  port.flush();
}
