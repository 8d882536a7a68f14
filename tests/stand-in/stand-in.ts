/** Behaves like the worker towards the page: downloads, loads and answers at given rates, and computes nothing. */
import type {
  CatalogueEntry,
  DeviceProblem,
  DeviceReport,
  GenerateEvent,
  GenerateRequest,
  GenerateResult,
  HostFacts,
  HubRepository,
  LayersByHand,
  LoadEvent,
  LoadedModel,
  ModelSource,
  ModelSummary,
  RoomApi,
  ServerModel,
  Settings,
  StorageReport,
  StoredFile,
  WorkerApi,
  WorkerEvent,
} from '../../worker/api.ts';
import { CancelledError, DeviceError, MemoryError, ModelError, PersonError, RetryError } from '../../worker/errors.ts';
import { LONG_ANSWER, THOUGHT, tokensOf } from './answer-text.ts';
import { entryOf, fitOf, SHAPES } from './catalogue.ts';
import { StandInRoom } from './room.ts';
import type { Scenario } from './scenario.ts';

const GIB = 1024 ** 3;
const TICK_MS = 10;
const PIPELINES = 24;
const SHARD_BYTES = 4 * 1024 * 1024;
const PROMPT_TOKENS = 220;
const STARTER_NAME = 'SmolLM2-135M-Instruct.Q4_1.gguf';
/** As the worker has it: Firefox hands results back too slowly. */
const NO_COMPUTE: readonly DeviceProblem[] = ['insecure-context', 'no-webgpu', 'no-adapter', 'slow-readback'];
type Shape = (typeof SHAPES)[number];
/** How large the conversation is said to be, where a test wants it nearly full. */
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class StandIn implements WorkerApi, RoomApi {
  readonly #scenario: Scenario;
  readonly #kept = new Map<string, StoredFile>();
  #settings: Settings | undefined;
  #onEvent: (event: WorkerEvent) => void = () => {};
  #loaded: LoadedModel | undefined;
  #paused = false;
  #stops = new Set<string>();
  #faultsLeft: number;
  #breakAfter: number;
  #interrupted: boolean;
  readonly #room: StandInRoom;
  #lookUps = 0;
  #folderLooks = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#room = new StandInRoom(scenario, (source) => this.#shape(source));
    this.#breakAfter = scenario.breakAfter;
    this.#interrupted = scenario.interrupted;
    this.#faultsLeft = scenario.fault === 'none' ? 0 : 1;
    const [tiny, small, , thinker] = SHAPES;
    if (scenario.kept && small) this.#keep(small, small.bytes);
    if (scenario.kept && tiny) this.#keep(tiny, tiny.bytes);
    if (scenario.partly && thinker) this.#keep(thinker, thinker.bytes * 0.22);
  }

  async start(settings: Settings, _host: HostFacts, onEvent: (event: WorkerEvent) => void): Promise<DeviceReport> {
    this.#settings = settings;
    this.#onEvent = onEvent;
    this.#room.begin((room, removed) => onEvent({ kind: 'room', room, ...(removed ? { removed } : {}) }));
    return this.#report();
  }

  device = async () => this.#report();

  async changeSettings(settings: Settings): Promise<DeviceReport> {
    this.#settings = settings;
    return this.#report();
  }

  async chooseBudget(settings: Settings): Promise<DeviceReport> {
    this.#interrupted = false;
    return this.changeSettings(settings);
  }

  async catalogue(contextTokens: number): Promise<readonly CatalogueEntry[]> {
    const entries = SHAPES.map((shape) => entryOf(shape, contextTokens, this.#budget()));
    const rank = { fits: 0, 'shorter-context': 1, 'too-large': 2 };
    return entries.sort((a, b) => rank[a.fit.verdict] - rank[b.fit.verdict] || a.downloadBytes - b.downloadBytes);
  }

  async resolve(entryId: string): Promise<ModelSource> {
    this.#askHub();
    const shape = SHAPES.find(({ id }) => id === entryId);
    if (!shape) throw new ModelError(`There is no ${entryId} in the catalogue.`);
    return sourceOf(shape);
  }

  async hubFiles(repository: string): Promise<HubRepository> {
    this.#askHub();
    if (repository.endsWith('/late') && this.#lookUps++ === 0) throw new RetryError('The hub has trouble (503).');
    if (repository.endsWith('/missing')) throw new ModelError(`${repository} is not on the hub. Check its name.`);
    const file = (quantization: string, bytes: number) => ({ file: `model-${quantization}.gguf`, bytes, quantization });
    return {
      repository,
      commit: 'c0ffee',
      files: [
        file('Q8_0', 386e6),
        file('Q4_K_M', 271e6),
        { ...file('Q3_K_S', 219e6), unsupported: 'Tensors of type Q3_K are not supported yet.' },
      ],
    };
  }

  async serverModels(): Promise<readonly ServerModel[]> {
    const { served } = this.#scenario;
    if (served === 'no' || (served === 'late' && this.#folderLooks++ === 0)) return [];
    return [
      {
        file: STARTER_NAME,
        name: 'SmolLM2 135M Instruct',
        bytes: 98_362_432,
        note: '135 million parameters: to try, not to rely on',
      },
    ];
  }

  async inspect(source: ModelSource, contextTokens: number): Promise<ModelSummary> {
    await sleep(TICK_MS);
    if (source.kind === 'hub') this.#askHub();
    if (source.kind === 'url' && source.address.includes('/private/')) {
      throw new PersonError(`${new URL(source.address).host} asks who you are (401).`, { status: 401 });
    }
    if (source.kind === 'picked' && !source.file.name.endsWith('.gguf')) {
      throw new ModelError(`${source.file.name} is not a GGUF file: it does not begin with GGUF.`);
    }
    return this.#summary(source, contextTokens);
  }

  async load(source: ModelSource, contextTokens: number, onEvent: (event: LoadEvent) => void): Promise<LoadedModel> {
    this.#paused = false;
    const summary = this.#summary(source, contextTokens);
    onEvent({ kind: 'header', summary });
    const cached = summary.keptBytes >= summary.fileBytes;
    const rate = cached ? this.#scenario.downloadRate * 4 : this.#scenario.downloadRate;
    const from = cached ? 0 : summary.keptBytes;
    // as the worker does: what is loaded answers until all of the other one is here
    if (cached) this.#replace(onEvent);
    let done = from;
    let last = performance.now();
    while (done < summary.fileBytes) {
      await sleep(TICK_MS);
      if (this.#paused) {
        this.#keep(this.#shape(source), done);
        throw new CancelledError('Paused.');
      }
      if (!cached && done - from >= this.#breakAfter) {
        this.#breakAfter = Number.POSITIVE_INFINITY;
        this.#keep(this.#shape(source), done);
        throw new RetryError('The connection ended. What came is kept: try again to go on from there.');
      }
      const now = performance.now();
      done = Math.min(summary.fileBytes, done + (rate * (now - last)) / 1000);
      last = now;
      const arrivingBytes = cached || done === summary.fileBytes ? 0 : Math.round(done % SHARD_BYTES);
      onEvent({
        kind: 'progress',
        doneBytes: Math.round(done) - arrivingBytes,
        arrivingBytes,
        totalBytes: summary.fileBytes,
        fetchedBytes: cached ? 0 : Math.round(done - from),
        layersDone: Math.floor((done / summary.fileBytes) * summary.layers),
        bytesPerSecond: rate,
        secondsLeft: (summary.fileBytes - done) / rate,
        repairedShards: 0,
      });
    }
    this.#replace(onEvent);
    for (let i = 1; i <= PIPELINES; i++) {
      if (this.#scenario.prepareMs > 0) await sleep(this.#scenario.prepareMs / PIPELINES);
      if (this.#paused) throw new CancelledError('Paused.');
      onEvent({ kind: 'preparing', pipelinesDone: i, pipelinesTotal: PIPELINES });
    }
    if (source.kind !== 'picked' || !this.#scenario.problems.includes('no-storage')) {
      this.#keep(this.#shape(source), summary.fileBytes);
    }
    this.#loaded = {
      summary: { ...summary, keptBytes: summary.fileBytes },
      contextTokens: this.#scenario.contextTokens || summary.fit.contextTokens,
      sessions: 1,
      storage: 'f16',
      allocatedBytes: summary.fit.totalBytes,
      ...(this.#scenario.warned ? { warning: 'Its tokens are split by guess.' } : {}),
    };
    return this.#loaded;
  }

  #replace(onEvent: (event: LoadEvent) => void): void {
    if (this.#loaded === undefined) return;
    this.#loaded = undefined;
    onEvent({ kind: 'unloaded' });
  }

  async pauseLoad(): Promise<void> {
    this.#paused = true;
  }

  async unload(): Promise<void> {
    this.#loaded = undefined;
  }

  loaded = async () => this.#loaded;

  room = () => this.#room.room();
  makeRoom = (name: string, askFirst: boolean) => this.#room.makeRoom(name, askFirst);
  joinRoom = (invite: string, name: string) => this.#room.joinRoom(invite, name);
  returnToRoom = () => this.#room.returnToRoom();
  leaveRoom = () => this.#room.leaveRoom();
  setAskFirst = (askFirst: boolean) => this.#room.setAskFirst(askFirst);
  answerAsking = (device: string, allow: boolean) => this.#room.answerAsking(device, allow);
  removeDevice = (device: string) => this.#room.removeDevice(device);
  layOut = (model: string, byHand?: LayersByHand) => this.#room.layOut(model, byHand);
  placeInRoom = (source: ModelSource, contextTokens: number) => this.#room.placeInRoom(source, contextTokens);

  async generate(request: GenerateRequest, onEvent: (event: GenerateEvent) => void): Promise<GenerateResult> {
    const model = this.#loaded;
    const inRoom = model ? undefined : this.#room.model;
    if (!model && !inRoom) throw new DeviceError('No model is loaded.', { reason: 'absent' });
    const began = performance.now();
    const context = model?.contextTokens ?? inRoom?.contextTokens ?? 0;
    if (this.#scenario.warned) onEvent({ kind: 'notice', message: 'The template failed. A plain format is used.' });
    await this.#prefill(onEvent);
    const firstTokenMs = performance.now() - began;
    const { thought, text } = this.#answerTo(request);
    const tokens = [...tokensOf(thought).map(asThought), ...tokensOf(text).map(asAnswer)];
    let decodeBegan = performance.now();
    let sent = 0;
    let roomSpoke = inRoom === undefined;
    const result = (finish: GenerateResult['finish']): GenerateResult => ({
      finish,
      promptTokens: PROMPT_TOKENS,
      reusedTokens: 0,
      answerTokens: sent,
      firstTokenMs,
      tokensPerSecond: sent < 2 ? 0 : (sent * 1000) / (performance.now() - decodeBegan),
      droppedTurns: request.whenFull === 'drop-oldest' ? 2 : 0,
      usedTokens: Math.min(context, PROMPT_TOKENS + sent),
      contextTokens: context,
    });
    while (sent < tokens.length) {
      await sleep(TICK_MS);
      if (this.#stops.delete(request.id)) return result('stopped');
      if (this.#loaded !== model) throw new CancelledError('Another model was loaded.');
      const due = Math.min(
        tokens.length,
        Math.floor(((performance.now() - decodeBegan) * this.#scenario.tokensPerSecond) / 1000),
      );
      for (; sent < due; sent++) {
        if (sent >= this.#scenario.faultAfter && !roomSpoke) {
          roomSpoke = true;
          const since = performance.now();
          await this.#room.live(onEvent);
          decodeBegan += performance.now() - since;
        }
        if (sent >= this.#scenario.faultAfter && this.#faultsLeft > 0) {
          const ended = this.#fault(request, result);
          if (ended) return ended;
        }
        const piece = tokens[sent];
        if (piece) onEvent({ kind: 'text', pieces: [piece], tokens: 1 });
      }
    }
    return result('end');
  }

  async stop(id: string): Promise<void> {
    this.#stops.add(id);
  }

  async forget(): Promise<void> {}

  async storage(): Promise<StorageReport> {
    const files = [...this.#kept.values()];
    const usedBytes = files.reduce((sum, file) => sum + file.keptBytes, 0);
    return { files, usedBytes, quotaBytes: 44e9, persisted: false };
  }

  async remove(key: string): Promise<void> {
    this.#kept.delete(key);
    this.#onEvent({ kind: 'storage-changed' });
  }

  async destroyDevice(): Promise<void> {
    const key = this.#loaded?.summary.key ?? '';
    const file = this.#kept.get(key);
    if (this.#scenario.evicts && file) {
      const lostBytes = file.size / 2;
      this.#kept.set(key, { ...file, complete: false, keptBytes: file.size - lostBytes, lostBytes });
    }
    this.#loaded = undefined;
    this.#onEvent({ kind: 'device-lost', reason: 'lost', message: 'The GPU went away.' });
  }

  /** A question that begins with "Say:" is answered with its rest, so that a test chooses the answer. */
  #answerTo(request: GenerateRequest): { readonly thought: string; readonly text: string } {
    const question = request.turns.findLast((turn) => turn.role === 'user')?.content ?? '';
    const last = request.turns.at(-1);
    const begun = last?.role === 'assistant' ? last.content : '';
    const whole = question.startsWith('Say:') ? question.slice(4).trimStart() : LONG_ANSWER;
    const repeat = /^Say (\d+) times/.exec(question)?.[1];
    const text = repeat ? LONG_ANSWER.repeat(Number(repeat)) : whole;
    const thinks = question.includes('think') && begun === '';
    const thought = thinks ? THOUGHT.slice(request.begunReasoning?.length ?? 0) : '';
    return { thought, text: text.startsWith(begun) ? text.slice(begun.length) : text };
  }

  #fault(request: GenerateRequest, result: (finish: GenerateResult['finish']) => GenerateResult) {
    const { fault, ways } = this.#scenario;
    if (fault === 'full') {
      const goesOn = request.turns.at(-1)?.role === 'assistant';
      if (ways === 'oldest' && request.whenFull === 'drop-oldest') return undefined;
      if (ways === 'reasoning' && goesOn && request.begunReasoning === undefined) return undefined;
      const waysOn = { dropOldest: ways === 'oldest', dropReasoning: ways === 'reasoning' };
      return { ...result('context-full'), usedTokens: this.#loaded?.contextTokens ?? 0, waysOn };
    }
    this.#faultsLeft -= 1;
    if (fault === 'memory') {
      throw new MemoryError('The conversation needs 0.4 GB more than models may take. Shorten it, or raise the limit.');
    }
    this.#onEvent({ kind: 'device-lost', reason: 'lost', message: 'The GPU went away.' });
    this.#loaded = undefined;
    throw new DeviceError('The GPU went away.', { reason: 'lost' });
  }

  async #prefill(onEvent: (event: GenerateEvent) => void): Promise<void> {
    onEvent({ kind: 'queued' });
    const steps = 4;
    for (let i = 1; i <= steps; i++) {
      await sleep(this.#scenario.prefillMs / steps);
      const doneTokens = Math.round((PROMPT_TOKENS * i) / steps);
      onEvent({ kind: 'prefill', doneTokens, totalTokens: PROMPT_TOKENS, reusedTokens: 0 });
    }
  }

  #askHub(): void {
    const { hub } = this.#scenario;
    if (hub === 'down')
      throw new RetryError('huggingface.co did not answer. Try again later, or use a mirror.', {
        hubUnreachable: true,
      });
    if (hub === 'gated')
      throw new PersonError('This model has a licence. Accept it on huggingface.co, then paste a token.', {
        gated: true,
      });
  }

  #budget(): number {
    const chosen = this.#settings?.budgetBytes ?? 4 * GIB;
    return this.#interrupted ? Math.min(chosen, 3 * GIB) : chosen;
  }

  #report(): DeviceReport {
    const { problems } = this.#scenario;
    const none = problems.some((problem) => NO_COMPUTE.includes(problem));
    const software = problems.includes('software-adapter');
    const report: DeviceReport = {
      compute: none ? 'none' : software ? 'software-gpu' : 'gpu',
      problems,
      adapter: none
        ? { vendor: '', architecture: '', description: '' }
        : { vendor: 'apple', architecture: 'metal-3', description: '' },
      f16: !problems.includes('no-f16'),
      maxBindingBytes: none ? 0 : 2 * GIB,
      platform: this.#scenario.platform,
      budgetBytes: this.#budget(),
      defaultBudgetBytes: 4 * GIB,
      maxBudgetBytes: 12 * GIB,
    };
    if (!this.#interrupted) return report;
    return { ...report, interrupted: { model: 'Qwen3 4B', budgetBefore: 4 * GIB, budgetNow: 3 * GIB } };
  }

  #shape(source: ModelSource): Shape {
    const fallback = SHAPES[0] as Shape;
    if (source.kind === 'hub') return SHAPES.find(({ repository }) => repository === source.repository) ?? fallback;
    if (source.kind === 'stored') return SHAPES.find(({ id }) => id === source.key) ?? fallback;
    return fallback;
  }

  #summary(source: ModelSource, contextTokens: number): ModelSummary {
    const shape = this.#shape(source);
    return {
      key: shape.id,
      source,
      name: shape.name,
      architecture: 'llama',
      quantization: shape.quantization,
      parameters: this.#scenario.parameters || shape.parameters,
      layers: shape.layers,
      vocabulary: 49152,
      trainedContextTokens: 32768,
      fileBytes: shape.bytes,
      keptBytes: this.#kept.get(shape.id)?.keptBytes ?? 0,
      fit: fitOf(shape, contextTokens, this.#budget()),
    };
  }

  #keep(shape: Shape, keptBytes: number): void {
    const source = sourceOf(shape);
    this.#kept.set(shape.id, {
      key: shape.id,
      identity: { kind: 'hub', repository: shape.repository, commit: 'c0ffee', file: source.file },
      name: source.file,
      size: shape.bytes,
      keptBytes: Math.round(keptBytes),
      complete: keptBytes >= shape.bytes,
      verified: 'origin',
      lostBytes: 0,
      lookedAt: false,
    });
  }
}

function sourceOf(shape: Shape) {
  const file = `${shape.name.replaceAll(' ', '-')}-${shape.quantization}.gguf`;
  return { kind: 'hub', repository: shape.repository, file, commit: 'c0ffee' } as const;
}

const asThought = (text: string) => ({ kind: 'reasoning', text }) as const;
const asAnswer = (text: string) => ({ kind: 'answer', text }) as const;
