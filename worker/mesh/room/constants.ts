/** A device that did not look for longer slept or was frozen: it rejoins. */
export const GAP_MS = 2000;
/** The host calls `tick` about so often. */
export const TICK_MS = 250;

export const SUSPECT_MS = 1500;
export const LOST_MS = 4000;
/** So long a link that only some have lost may come back before a driver moves its own sessions. */
export const DISAGREE_MS = 8000;
/** Making a link takes less; who waits longer has a replacement loaded meanwhile. */
export const LINKING_MS = 3500;
/** A device that promised and did not deliver is passed over so long, while others can. */
export const DISTRUST_MS = 30_000;

export const DIGEST_MS = 2000;
/** A device that has counted so far takes its next incarnation and counts anew: messages hold no more than twice that. */
export const LAST_COUNTER = 2 ** 47;
/** Records of devices that nobody reaches are forgotten then, and models that nobody runs or holds. */
export const FORGET_MS = 600_000;
/** Placements of a model that everybody knows: the highest. */
export const PLACEMENTS_KEPT = 4;

export const FULL_MESH_DEVICES = 8;
/** Chosen by hash among devices, the ring's neighbours apart. */
export const CHORDS = 2;
/** Who has fewer tries any device that it knows of. */
export const LEAST_LINKS = 4;
export const PHONE_LINKS = 12;
/** A link that nothing asks for any more is kept so long. */
export const SPARE_LINK_MS = 60_000;
export const RETRY_LEAST_MS = 1000;
export const RETRY_MOST_MS = 8000;
/** A connection that neither opened nor failed by then is asked for again. */
export const CONNECT_MS = 10_000;

/** Between the proposals of two devices that see the same loss. */
export const RANK_MS = 300;
/** Who has just come waits so long for a link before it proposes on its own. */
export const ARRIVE_MS = 2000;
/** An answer that waits longer has a second placement loaded, on other devices. */
export const DOUBT_MS = 4000;
/** A device that is named in a placement says so long after that it loads, or is passed over. */
export const TAKE_UP_MS = 5000;
/** Weights that only lower placements name, and that nobody uses, make a repair quick: they stay so long. */
export const KEEP_WEIGHTS_MS = 300_000;
/** A stage that could not be loaded is tried again then. */
export const FAILED_MS = 60_000;
/** One for which there was no room. */
export const NO_ROOM_MS = 5000;

export const CHUNK_ROWS = 128;
/** Chunks that may be on their way to the next stage. */
export const CHUNKS_AHEAD = 4;
export const WINDOW_ROWS = CHUNK_ROWS * CHUNKS_AHEAD;
/** Token ids in a frame: 4 KiB. */
export const IDS_A_FRAME = 1000;
/** Tokens that stages run ahead of the driver's acknowledgement. */
export const AHEAD_TOKENS = 16;
/** An attempt from which nothing comes is idle then, and its slot free to take. */
export const IDLE_MS = 60_000;

/** A stage tells the driver so often that a run is under way. */
export const AT_WORK_MS = 1000;
/** An engine that has given nothing for so long while it had rows to compute is taken for stuck. */
export const LONGEST_RUN_MS = 60_000;
export const SILENCE_LEAST_MS = 5000;
export const SILENCE_LAPS = 8;
export const PREPARE_MS = 5000;
export const BUSY_RETRY_MS = 2000;
