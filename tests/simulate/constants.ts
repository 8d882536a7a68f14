/** All that a simulation takes for given; the command prints it. Seconds of virtual time unless a name says otherwise. */
export interface Constants {
  readonly seed: number;
  readonly devices: number;
  readonly hours: number;
  /** Between faults of a device that is up, at mean. */
  readonly faultEverySeconds: number;
  /** Of a fault of each kind; they add up to 1. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** Log-uniform: of deaths, sleeps and partitions. */
  readonly outageSeconds: readonly [number, number];
  readonly stallSeconds: readonly [number, number];
  readonly reloadSeconds: readonly [number, number];
  /** Of reloads, and of sleeps where the page has time to say goodbye. */
  readonly goodbyeChance: { readonly reload: number; readonly sleep: number };
  /** Of sleeps with a goodbye those in which the page runs on, hidden; log-uniform how long. */
  readonly runsOnChance: number;
  readonly hiddenSeconds: readonly [number, number];
  /** Of sleeps in which the monotonic clock stands, and of those in which what arrived is lost. */
  readonly clockStandsChance: number;
  readonly sleepLosesChance: number;
  /** Devices that a partition cuts off together, beside the first: one more with this chance, again and again. */
  readonly partitionGrowth: number;
  readonly loadSeconds: readonly [number, number];
  /** From where every link's delay is drawn, and what each message adds. */
  readonly linkMs: readonly [number, number];
  readonly jitterMs: number;
  /** Log-uniform: what each direction of a link carries, Mbit/s. */
  readonly linkMbit: readonly [number, number];
  /** Of messages that a lost packet delays, and by how much. */
  readonly lossChance: number;
  readonly lossMs: readonly [number, number];
  readonly connectMs: readonly [number, number];
  readonly connectFailsMs: number;
  /** What a device takes for a step through all layers; a stage takes its share. */
  readonly stepMs: readonly [number, number];
  readonly rowMs: number;
  /** Of all sessions together. */
  readonly rowsAStep: number;
  readonly storeMs: readonly [number, number];
  readonly models: number;
  /** What the keys of models begin with. */
  readonly modelName: string;
  readonly layers: number;
  readonly bytesALayer: number;
  readonly bytesARow: number;
  readonly retainedBytes: number;
  readonly slotsAStage: number;
  /** In layers' bytes. */
  readonly budgetLayers: readonly [number, number];
  /** Of devices that are phones: at most 12 links. */
  readonly phoneChance: number;
  /** Each so many devices one drives nothing and is another one whenever it comes back. */
  readonly visitorEvery: number;
  readonly sessionsADevice: number;
  readonly contextTokens: number;
  readonly answerTokens: readonly [number, number];
  /** Log-uniform: what a person adds in a turn. */
  readonly turnTokens: readonly [number, number];
  readonly thinkSeconds: readonly [number, number];
  readonly editChance: number;
  readonly newSessionChance: number;
  readonly stopChance: number;
  /** A gap between tokens that is longer counts as a stall. */
  readonly stallFromSeconds: number;
  readonly stuckSeconds: number;
  /** Room that a stuck answer must have had, over what all models take: what is left over comes in pieces. */
  readonly stuckSpare: number;
  /** Without faults, at the end, for what is under way. */
  readonly calmSeconds: number;
}

export type FaultKind = 'death' | 'reload' | 'sleep' | 'stall' | 'partition' | 'one-way' | 'gpu';

export function constantsFor(devices: number, hours: number, seed: number): Constants {
  const isSmall = devices <= 8;
  return {
    seed,
    devices,
    hours,
    faultEverySeconds: 60,
    faults: { death: 0.27, reload: 0.5, sleep: 0.08, stall: 0.06, partition: 0.05, 'one-way': 0.02, gpu: 0.02 },
    outageSeconds: [5, 120],
    stallSeconds: [5, 20],
    reloadSeconds: [5, 10],
    goodbyeChance: { reload: 0.9, sleep: 0.5 },
    runsOnChance: 0.5,
    hiddenSeconds: [0.5, 30],
    clockStandsChance: 0.5,
    sleepLosesChance: 0.5,
    partitionGrowth: 0.5,
    loadSeconds: [9, 11],
    linkMs: [3, 25],
    jitterMs: 4,
    linkMbit: [200, 1000],
    lossChance: 0.005,
    lossMs: [50, 250],
    connectMs: [200, 900],
    connectFailsMs: 3000,
    stepMs: [50, 75],
    rowMs: 0.12,
    rowsAStep: 512,
    storeMs: [2, 8],
    models: Math.ceil(devices * 0.37),
    modelName: 'model-',
    layers: 20,
    bytesALayer: 2 ** 28,
    bytesARow: 8192,
    retainedBytes: 3 * 2 ** 24,
    slotsAStage: 24,
    budgetLayers: [12, 40],
    phoneChance: 0.2,
    visitorEvery: isSmall ? 0 : 8,
    sessionsADevice: 2,
    contextTokens: 4096,
    answerTokens: [50, 400],
    turnTokens: [16, 2500],
    thinkSeconds: [1, 5],
    editChance: 0.2,
    newSessionChance: 0.1,
    stopChance: 0.02,
    stallFromSeconds: 2,
    stuckSeconds: 60,
    stuckSpare: 1.25,
    calmSeconds: 300,
  };
}
