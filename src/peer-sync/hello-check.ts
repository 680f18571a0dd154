import { MeridianError } from '../base/errors.js'
import { formatHostPort } from '../base/names.js'
import type { PeerIdentity } from '../ports/network.js'
import { PROTOCOL_MAX, PROTOCOL_MIN, TOPOLOGY_VERSION, type Hello } from './messages.js'
import type { MemberInfo, Topology } from './sync-host.js'

/**
 * Who is on the other side of a link, from what it says, what its certificate says and what the topology says. All three
 * must agree; the error names both sides of the disagreement, because the operators of both sides will read it.
 * @param dialled the member that was dialled, or null on an accepted link.
 */
export function checkHello(hello: Hello, identity: PeerIdentity, topology: Topology, dialled: MemberInfo | null): MemberInfo {
  const version = commonVersion(hello)
  if (version === null) {
    throw new MeridianError(
      'MRD_PEER_VERSION',
      `${identity.name} speaks link protocol ${range(hello.minVersion, hello.maxVersion)}, ${selfName(topology)} speaks ${range(PROTOCOL_MIN, PROTOCOL_MAX)}`,
      'Upgrade the older of the two.',
    )
  }
  for (const cluster of [hello.clusterId, identity.clusterId]) {
    if (cluster === topology.clusterId) continue
    throw new MeridianError(
      'MRD_PEER_CLUSTER',
      `${identity.name} belongs to cluster ${cluster}, ${selfName(topology)} to cluster ${topology.clusterId}`,
      'Correct the address in the topology, or the cluster id in the configuration of one of the two.',
    )
  }
  if (hello.name !== identity.name) {
    throw new MeridianError(
      'MRD_PEER_IDENTITY',
      `A peer calls itself ${hello.name}, its certificate names ${identity.name}`,
      'Give that member the certificate that was issued for it.',
    )
  }
  if (dialled !== null && hello.name !== dialled.name) {
    throw new MeridianError(
      'MRD_PEER_IDENTITY',
      `At ${dialled.address.host}:${dialled.address.port} there is ${hello.name}, the topology says ${dialled.name}`,
      'Correct the address in the topology.',
    )
  }
  const named = nameHolder(topology, hello)
  if (named === undefined) throw unknownPeer(hello, topology)
  if (isRefused(named)) throw removedPeer(named)
  const holder = topology.members.find((member) => member.id === hello.member)
  if (holder !== undefined && (holder.name !== hello.name || holder.id === topology.self)) {
    throw duplicateId(
      `${hello.name} says that it is member ${hello.member}, which ${holder.id === topology.self ? 'this member is' : 'the topology gives to ' + holder.name}` +
        ` (topology version ${hello.topologyVersion} there, ${topology.version} on ${selfName(topology)})`,
    )
  }
  if (named.id !== hello.member) {
    throw new MeridianError(
      'MRD_PEER_IDENTITY',
      `${hello.name} says that it is member ${hello.member}, the topology of ${selfName(topology)} says ${named.id}`,
      `Topology versions: ${hello.topologyVersion} there, ${topology.version} here. Give both members the same list of members.`,
    )
  }
  return named
}

/** The member that a HELLO names; when two were added under one name, the one whose id it says. */
function nameHolder(topology: Topology, hello: Hello): MemberInfo | undefined {
  const named = topology.members.filter((member) => member.name === hello.name)
  return named.find((member) => member.id === hello.member) ?? named.find(({ removal }) => removal === undefined) ?? named[0]
}

/**
 * Whether a new member may have the topology; gives its entry.
 * @throws MeridianError when it was not added, was removed, or belongs elsewhere
 */
export function checkJoin(hello: Hello, identity: PeerIdentity, topology: Topology): MemberInfo {
  const named = nameHolder(topology, hello)
  // As that member: so everything but the id is checked as for any other link.
  const member = checkHello({ ...hello, member: named?.id ?? 0 }, identity, topology, null)
  if (commonVersion(hello) === null || hello.maxVersion < TOPOLOGY_VERSION) {
    throw new MeridianError(
      'MRD_PEER_VERSION',
      `${identity.name} speaks link protocol ${range(hello.minVersion, hello.maxVersion)}, joining needs version ${TOPOLOGY_VERSION}`,
      'Upgrade the older of the two.',
    )
  }
  return member
}

export function duplicateId(what: string): MeridianError {
  return new MeridianError(
    'MRD_PEER_DUPLICATE_ID',
    what,
    `Two members must never share an id, nor may one run twice (a copied data folder, a second process, a disk that was restored from a backup after newer writes): stop the wrong one. ${REJOIN}`,
  )
}

/** To a process that another one with its identity has followed: what it writes now is wanted by nobody. It ends its own writes when it hears this. */
export function forkedMember(what: string): MeridianError {
  return new MeridianError(
    'MRD_PEER_FORKED',
    what,
    'Stop the wrong one of the two at once. If that is the other one, restart this one: it is told what the other has written in its name. If both have written, ' +
      `neither can take in what the other has. ${REJOIN}`,
  )
}

/** How one that cannot go on as the member it was comes back. */
export const REJOIN =
  'To take part again it needs a new name: `meridian region add NEWNAME` at another member, then start it with an empty data folder and --join. ' +
  'What it has and never sent stays readable here, and `meridian export` writes it to a file.'

/** A removed member that is not wanted on links any more. */
export function isRefused({ removal }: MemberInfo): boolean {
  return removal !== undefined && removal.forced.length > 0
}

export function removedPeer(member: MemberInfo): MeridianError {
  return new MeridianError('MRD_PEER_REMOVED', `${member.name} (member ${member.id}) was removed from this cluster`, REJOIN)
}

/** To a member that has writes of a removed one which the others have done without. */
export function strayOp(removed: MemberInfo): MeridianError {
  return new MeridianError(
    'MRD_PEER_STRAY',
    `The other side has writes of ${removed.name}, which was removed from this cluster, that came after the others had done without them`,
    'It took them when only the removed member could be reached. `meridian export` there what is wanted of it, then start it with an empty data folder: it comes back with what the others have.',
  )
}

/** To a new member that asks one for the list which is no member any more itself. */
export function removedTarget(topology: Topology): MeridianError {
  const others = topology.members.filter(({ id, removal }) => id !== topology.self && removal === undefined)
  const known = others.map(({ name, address: { host, port } }) => `${name} at ${formatHostPort({ host, port })}`)
  return new MeridianError(
    'MRD_JOIN_TARGET',
    `${selfName(topology)}, which was asked for the list of members, was itself removed from this cluster`,
    known.length === 0 ? 'It knows of no other member.' : `As far as it knows there are ${known.join(', ')}.`,
  )
}

/** @param doubt why the list that it has brought is not believed. */
export function unknownPeer(hello: Hello, topology: Topology, doubt: string | null = null): MeridianError {
  return new MeridianError(
    'MRD_PEER_UNKNOWN',
    `${hello.name} is not in the list of members of ${selfName(topology)} yet` +
      (doubt === null ? '' : `, and the list that it brings is not believed: ${doubt}`),
    `Topology versions: ${hello.topologyVersion} there, ${topology.version} here. A member that was added is known here as soon as that change has come; ` +
      `one that was not is added with \`meridian region add ${hello.name}\`.`,
  )
}

/** The version that both sides can speak, the highest if there are several. */
export function commonVersion(hello: Hello): number | null {
  const version = Math.min(hello.maxVersion, PROTOCOL_MAX)
  return version >= Math.max(hello.minVersion, PROTOCOL_MIN) ? version : null
}

function range(min: number, max: number): string {
  return min === max ? `version ${min}` : `versions ${min} to ${max}`
}

function selfName(topology: Topology): string {
  return topology.members.find((member) => member.id === topology.self)?.name ?? `member ${topology.self}`
}
