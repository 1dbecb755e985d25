/**
 * L1: Linux as objects.
 *
 * Job: what the kernel offers to a user-space network stack beside the rings themselves: file descriptors with an
 * owner, mapped memory, the clock, network namespaces, interfaces and their queues, sockets, affinity and scheduling,
 * capabilities; and the one SystemError with its table of hints.
 *
 * Data: `Fd` owns a descriptor, `MappedRegion` owns pages; `NetworkNamespace`, `EventFd` and `UdpSocket` are made of
 * them, and what the kernel or the NIC does as long as we ask for it: `GroupMembership`, `PromiscuousMode`, `FlowRule`.
 * All close idempotently and are Disposable. A link, its features, channels and rules are plain data, read anew each time.
 *
 * Invariants
 * - A failed system call is a SystemError with the subject it was done to; only hot functions return codes instead.
 * - Facts about interfaces come by netlink and ioctl in the calling thread's namespace, never from /sys or a tool.
 * - What acts on "the calling thread" (namespace, affinity, scheduling) says so; the process's other threads keep theirs.
 *
 * Not here: BPF objects (`bpf/`), AF_XDP (`xdp/`), anything that parses packets (`wire/`).
 *
 * References: the manual pages named beside each function; linux/if_link.h, linux/ethtool.h, linux/rtnetlink.h.
 */
export { allowedCores, isolatedCores, parseCores, pinThread, setAllowedCores } from './affinity.ts';
export type { BusyPollSpec } from './busyPoll.ts';
export { BUSY_POLL, BusyPoll, enableBusyPoll } from './busyPoll.ts';
export type { BusyPollOptions, EffectiveBusyPoll } from './busyPollOptions.ts';
export { incomingNapi, setBusyPoll } from './busyPollOptions.ts';
export type { Capability, CapabilityFeature } from './capabilities.ts';
export { capabilityHint, featureCapabilities, lockLimit, missingCapabilities } from './capabilities.ts';
export { nowNs } from './clock.ts';
export type { Deferral } from './deferralHolders.ts';
export { Doorbell } from './doorbell.ts';
export type { EpollAddOptions } from './epoll.ts';
export { Epoll } from './epoll.ts';
export type { SystemErrorInit } from './error.ts';
export { check, errnoName, SystemError, UnsupportedError } from './error.ts';
export type { ChannelCounts, Channels, DeviceRings, Driver } from './ethtool.ts';
export { channels, deviceRings, driver, setChannels } from './ethtool.ts';
export type { HashedField, Rss } from './ethtoolRss.ts';
export { hashedFields, rss } from './ethtoolRss.ts';
export { EventFd } from './eventfd.ts';
export { Fd, leakedFds } from './fd.ts';
export type { Feature, Offloads } from './features.ts';
export { features, setFeatures, setOffloads } from './features.ts';
export type { FlowMatch, ListedFlowRule } from './flowRuleCodec.ts';
export type { EarlierFlowRule, FlowRuleSpec } from './flowRules.ts';
export { FlowRule, flowRules } from './flowRules.ts';
export type { Hint } from './hints.ts';
export { hintFor, hints } from './hints.ts';
export type { Housekeeping, HousekeepingSpec } from './housekeeping.ts';
export { housekeepingCores, startThreadPool } from './housekeeping.ts';
export type { InterfaceInfo } from './interfaces.ts';
export { interfaceInfo } from './interfaces.ts';
export type { DeferralBefore } from './interruptDeferral.ts';
export { deferInterrupts, InterruptDeferral } from './interruptDeferral.ts';
export type { GroupSpec } from './membership.ts';
export { GroupMembership } from './membership.ts';
export { createSealedMemfd, sealAgainstShrinking } from './memfd.ts';
export type {
  AddAddressOptions,
  AttachedXdp,
  InterfaceAddress,
  Link,
  LinkChange,
  ListedRoute,
  Napi,
  Neighbour,
  NetdevInfo,
  NicQueue,
  Route,
  RxMetadataKind,
  VethPairSpec,
  XdpFeature,
  XskFeature,
} from './netlink/index.ts';
export {
  addAddress,
  addNeighbour,
  addRoute,
  addresses,
  createVethPair,
  deleteLink,
  link,
  links,
  napis,
  neighbours,
  netdevInfo,
  nicQueues,
  routes,
  setLink,
} from './netlink/index.ts';
export { NetworkNamespace, withNetns } from './netns.ts';
export { setNonblocking } from './nonblocking.ts';
export { PollSet } from './poll.ts';
export { dieWithParent } from './process.ts';
export { PromiscuousMode } from './promiscuous.ts';
export type { Attempt } from './refusal.ts';
export { explainRefusal } from './refusal.ts';
export type { MappedRegionSpec } from './region.ts';
export { createMemfd, MAX_REGION_LEN, MappedFile, MappedRegion } from './region.ts';
export type { Scheduling } from './scheduling.ts';
export { scheduling, setRealtime } from './scheduling.ts';
export type { SocketAddress } from './socketAddress.ts';
export { TimerFd } from './timerFd.ts';
export type { UdpSocketSpec } from './udpOpen.ts';
export { UdpSocket } from './udpSocket.ts';
export { isAbstract } from './unixAddress.ts';
export type { UnixListenerSpec } from './unixListener.ts';
export { UnixListener } from './unixListener.ts';
export type { PeerCredentials, UnixMessage } from './unixSocket.ts';
export { UnixSocket } from './unixSocket.ts';
export { WallClock } from './wallClock.ts';
export type { FdWatch, WatchOptions } from './watch.ts';
export { watchReadable } from './watch.ts';
