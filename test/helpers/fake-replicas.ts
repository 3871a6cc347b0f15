import type { KeygroupName, NodeName } from "../../src/core/ids.js";
import type {
  KeygroupPlaces,
  MemberDurability,
  Placement,
  RemoveReplicaOptions,
  ReplicasFacade,
} from "../../src/keygroups/replicas-facade.js";

/** Replicas that are only noted. */
export class FakeReplicas implements ReplicasFacade {
  /** What was asked for, one line each. */
  readonly asked: string[] = [];
  placement: Placement = { kind: "replicate" };
  lost: number | undefined = 0;

  async show(name: KeygroupName): Promise<KeygroupPlaces> {
    const [edge1, cloud] = ["edge1", "cloud"] as NodeName[] as [NodeName, NodeName];
    return {
      name,
      settings: { policy: "lww", ttlMs: 0 },
      placement: this.placement,
      replicas: [
        { node: edge1, durability: "relaxed", state: "serving" },
        { node: cloud, durability: "strict", state: "joining" },
      ],
    };
  }

  async add(name: KeygroupName, node: NodeName, durability?: MemberDurability) {
    this.asked.push(`add ${name} ${node} ${durability}`);
    return this.show(name);
  }

  async remove(name: KeygroupName, node: NodeName, how: RemoveReplicaOptions) {
    this.asked.push(`remove ${name} ${node} ${how.isForced} ${how.withinMs}`);
    return { lost: this.lost, places: await this.show(name) };
  }

  async move(name: KeygroupName, placement: Placement) {
    this.placement = placement;
    return this.show(name);
  }

  async refound(name: KeygroupName, node: NodeName, { isForced }: { readonly isForced: boolean }) {
    this.asked.push(`refound ${name} ${node} ${isForced}`);
    return this.show(name);
  }
}
