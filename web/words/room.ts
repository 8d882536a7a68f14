import type { RoomRefusal } from '../../worker/api.ts';

/** Words of the room. */
const devices = (count: number) => (count === 1 ? 'one device' : `${count} devices`);
const layers = (first: number, last: number) => (first === last ? `layer ${first}` : `layers ${first}–${last}`);

export const roomWords = {
  room: 'Room',
  devices,
  layers,
  /** `MacBook, iPad and ThinkPad`. */
  list,

  // in no room
  what: 'In a room, several devices run one model together, each a part of its layers. Nobody is the host: any device may leave, and the answer goes on.',
  example: '36 layers over three devices: an example. One mark is one layer.',
  name: 'This device is called',
  nameNote: 'The others of the room see this name.',
  nameMissing: 'A device needs a name.',
  make: 'Make a room',
  makeNote: 'Begins with this device alone. The next page has a code for the others to scan.',
  makeNoteLocal:
    'Begins with this device alone. The next page opens a second window of this computer, and says how other devices get in.',
  askFirst: 'Ask before a new device joins',
  askFirstNote: 'Anyone inside may allow it. Off: whoever has the invite comes in at once.',
  join: 'Join a room',
  joinNote:
    'Scan the code that a device of the room shows, or paste its link. A device without a GPU can chat there, too.',
  scan: 'Scan a code',
  paste: 'Link of the invite',
  pasteHint: 'Paste a link',
  joinGo: 'Join',
  notNow: 'Not now',
  privacy:
    'The devices that hold a model’s first and last layers can read what you write and what is answered. Who serves this app is trusted.',
  cannotMake: 'This address is not secure, and browsers keep keys for secure pages alone. Open Shoal over HTTPS.',

  // an invite was opened
  invited: 'You are invited to a room.',
  invitedLead: 'This device joins with its own name, and gives a part of its memory to models of the room.',
  invitedNoGpu: 'This device has no GPU for models. It can chat in the room, and the others compute.',
  inAnother: 'This window is in a room now. Joining another one leaves it.',
  installedTitle: (device: string) => `Is Shoal installed on this ${device}?`,
  installedLead:
    'The installed app keeps its models apart from the browser. Open it from the Home Screen and scan there, so that nothing is downloaded twice.',
  installedSteps: [
    'Open Shoal from the Home Screen.',
    'Go to Room, then Scan a code. Or copy the link here and paste it there.',
  ],
  copyLink: 'Copy the link',
  copied: 'Copied',
  hereTitle: 'Join here, in this browser',
  hereLead: 'It works the same. Models that the installed app has are downloaded again.',

  // scanning
  scanTitle: 'Scan a code',
  scanLead: 'Hold the code of the room in front of the camera.',
  scanStarting: 'Starting the camera.',
  notInvite: 'This code is no invite to a room. The code of a room is on its page Room, under Invite a device.',
  noCode: 'No code was found in this picture.',
  picture: 'Use a picture',
  camera: {
    refused:
      'The camera is not allowed for this page. Allow it in the browser’s settings for this site, then scan again. On iPhone and iPad: Settings, Apps, Safari, Camera.',
    none: 'No camera was found on this device.',
    busy: 'The camera is in use by another program. Close that one, then scan again.',
    insecure: 'Browsers give the camera to secure pages alone.',
  },
  otherWays: 'A picture of the code, or its link, works as well.',
  cancel: 'Cancel',

  // on the way in
  joining: 'Joining the room',
  joiningLead: 'Connecting to a device of the room. This takes a few seconds.',
  joiningServer: 'Reaching the server that introduces devices.',
  joiningNobody: 'Looking for a device of the room. One of them has to have Shoal open, with its screen on.',
  joiningFound: 'A device of the room was found. The two prove to each other who they are.',
  asking: 'Waiting to be let in',
  askingLead: 'Somebody in the room has to allow it: the page Room asks there. This page goes on by itself then.',
  refused: 'Not in the room',
  refusals: {
    removed: ['This device was removed from the room.', 'Ask somebody inside for a new invite.'],
    'old-invite': ['This invite was replaced when a device was removed or left.', 'Ask for a new one.'],
    version: ['The devices have different versions of Shoal.', 'Reload this page, and the page in the room.'],
    unknown: ['The room does not know this device and its invite.', 'Ask somebody inside for a new invite.'],
    denied: ['Somebody in the room said no.', 'Ask them; after half a minute you can try again.'],
    expired: ['Nobody in the room answered in time.', 'Ask somebody to open Room there, then try again.'],
    busy: ['Too many devices want to come in at this moment.', 'Try again in a few seconds.'],
    full: ['The room is full: it takes 64 devices.', 'One of them has to leave first.'],
    'nobody-here': ['No device of the room is open now.', 'Open Shoal on one of them, then try again.'],
  } satisfies Record<RoomRefusal, readonly [string, string]>,
  tryAgain: 'Try again',
  stopJoining: 'Stop joining',
  anotherInvite: 'Use another invite',
  removed: 'Another device took this one out of the room. To come back, ask somebody inside for a new invite.',
  understood: 'Close',

  // in the room
  alone: 'This device is alone in the room. Invite another one: its memory counts too.',
  together: (count: number) => `${count} devices are here. Choose a model, and its layers are laid over them.`,
  runs: (model: string, count: number) => `${model} runs on ${devices(count)}.`,
  loads: (model: string, count: number) => `${model} is being loaded on ${devices(count)}.`,
  broke: (model: string) => `${model} cannot answer now: some of its layers are on no device that is here.`,
  writing: (answers: number) =>
    answers === 1 ? 'An answer is being written.' : `${answers} answers are being written.`,
  invite: 'Invite a device',
  inviteNote: 'Scan it with Shoal on the other device, or with its camera.',
  inviteAsks: 'Somebody here must allow each new device.',
  inviteOpen: 'Whoever has the invite comes in at once.',
  keyNote: 'The key stands after the #, so no server sees it.',
  qrLabel: 'QR code of the invite',
  link: 'Link of the invite',
  share: 'Share',
  shareTitle: 'Shoal: join my room',
  localTitle: 'Only this computer can open this page.',
  localNote:
    'It was opened on localhost, which no other device reaches. To let phones and other computers in, start the server with',
  localCommand: 'npm start -- --lan',
  localRest:
    'and open the address that it prints. A second window of this computer can join now: it is a device of its own.',
  secondWindow: 'Open a second window',
  stepsTitle: 'A phone or another computer, for the first time',
  stepsNote: 'It has to trust this server once. This page says how, step by step; open it on the other device.',
  stepsLabel: 'QR code of the steps',
  noInvite: 'The room is taking a new key since a device left. The invite comes back in a moment.',
  leave: 'Leave',
  leaveAsk:
    'Leave the room? The others forget this device, and invites that were given out before end. To come back it needs a new one.',
  leaveAskHolds: (held: string) =>
    `Leave the room? This device holds ${held}; they move to the others where there is room. Invites that were given out before end; to come back it needs a new one.`,
  asks: (name: string) => `${name} asks to join.`,
  asksNote: 'It has the invite. Anyone here may answer.',
  allow: 'Allow',
  refuse: 'Refuse',
  /** After the number in the navigation. */
  askBadge: (count: number) => (count === 1 ? 'device asks to join' : 'devices ask to join'),
  signalingLost:
    'The server that introduces devices cannot be reached. Those that are here go on; new ones cannot join until it is back.',

  // devices
  devicesTitle: 'Devices',
  deviceCount: (here: number, all: number, compute: number) =>
    `${here === all ? all : `${here} of ${all}`} here, ${compute} ${compute === 1 ? 'computes' : 'compute'}`,
  thisDevice: 'This device',
  here: 'Here',
  away: 'Away',
  joiningDevice: 'Joining',
  computing: 'Computing',
  loadingDevice: 'Loading',
  memory: 'Memory',
  memoryFree: (taken: string, whole: string) => `${taken} of ${whole} taken`,
  memoryLeft: (free: string) => `${free} free`,
  memoryAll: (whole: string) => `${whole}, all free`,
  noCompute: 'Chats only: no GPU for models.',
  holds: (first: number, last: number) => `Layers ${first}–${last}`,
  holdsOne: (layer: number) => `Layer ${layer}`,
  holdsEnds: { both: 'with the embedding and the head', first: 'with the embedding', last: 'with the head', none: '' },
  stage: {
    waiting: 'loading begins in a moment',
    loading: (amount: string) => `${amount} are here`,
    preparing: 'here; the GPU is being prepared',
    ready: 'ready',
    failed: 'could not be loaded there',
    away: 'waiting for it to come back',
  },
  holdsNone: 'Holds no layers.',
  holdsNoneAway: 'Holds no layers, so nothing waits for it.',
  awayNote: 'Not heard of for some seconds, or its page is hidden.',
  joiningNote: 'It is in. What it can give comes in a moment.',
  remove: (name: string) => `Remove ${name}`,
  removeAsk: (name: string) =>
    `Remove ${name} from the room? The room gets a new key, and invites that were given out work no more.`,
  removeDo: 'Remove',
  platforms: {
    iphone: 'iPhone',
    ipad: 'iPad',
    mac: 'macOS',
    android: 'Android',
    windows: 'Windows',
    linux: 'Linux',
    other: 'System not told',
  },

  // model of the room
  modelTitle: 'The model',
  gone: 'A device that left',
  oneMark: 'one mark is one layer',
  noModel: 'The room runs no model yet.',
  noModelNote: (free: string, count: number) =>
    count === 1
      ? `One device gives ${free} to models; each that joins adds its own.`
      : `Its ${count} devices give ${free} to models together. One that is too large for each of them may fit.`,
  noModelNobody: 'No device here computes. Invite one with a GPU.',
  chooseModel: 'Choose a model',
  changeModel: 'Change the model',
  chat: 'Chat',
  context: (tokens: string) => `${tokens} tokens of context`,
  readyState: 'Ready',
  loadingState: 'Loading',
  interruptedState: 'Interrupted',
  loadingAmount: (amount: string) => `On the devices: ${amount}.`,
  coming: (held: string, amount: string | undefined) =>
    `Being laid out anew: ${held}${amount === undefined ? '' : `; ${amount}`}. Until then it runs as it is.`,
  layerOne: (layer: number) => `layer ${layer}`,
  layerRange: (first: number, last: number) => `layers ${first} to ${last}`,
  interruptedNote: 'It goes on by itself when the device is back.',
  layHere: 'Run it on the devices that are here',
  byHand: 'Lay it out by hand',
  byHandTitle: 'Who holds how many layers',
  byHandNote: 'The first and the last layers can read what is written. An answer under way goes on where it is.',
  layersOf: (device: string) => `Layers on ${device}`,
  fewer: (device: string) => `One layer fewer on ${device}`,
  moreLayers: (device: string) => `One layer more on ${device}`,
  earlier: (device: string) => `${device} before the one above`,
  given: (given: number, layers: number) =>
    given === layers
      ? `All ${layers} layers are given.`
      : given < layers
        ? `${layers - given} of ${layers} layers ${layers - given === 1 ? 'is' : 'are'} given to nobody.`
        : `${given - layers} more than the ${layers} layers are given.`,
  layOut: 'Lay it out this way',
  layingOut: 'Laying it out',
  others: (name: string) => `Also known to the room: ${name}.`,
  pictureLabel: (model: string, said: string) => `${model}: ${said}`,
  partLabel: (device: string, first: number, last: number, said: string) => `${device} ${layers(first, last)}, ${said}`,

  // models page
  use: 'Use in the room',
  placing: 'Laying it over the devices',
  gives: (free: string, count: number) => `The room gives ${free} on ${devices(count)}`,
  fitsRoom: 'May fit the room',
  shortBy: (over: string) => `Too large for the room by ${over}`,
  pickedOnly: 'A file of this device alone: the others of the room cannot get it.',

  // chat
  inRoom: (model: string, count: number) => `${model} in the room, ${devices(count)}`,
  inRoomShort: (model: string, count: number) => `${model}, on ${devices(count)}`,
  inTheRoom: 'in the room',
  chatReady: (model: string) => `${model} is ready in the room.`,
  chatLoading: (model: string) => `${model} is being loaded in the room.`,
  chatBroken: (model: string) => `${model} waits for a device.`,
  chatLead: (all: string, readers: string) =>
    `It runs on ${all}. ${readers} the first and last layers and can read what you write. The conversation is kept on this device only.`,
  chatLeadOne: (device: string) =>
    `It runs on ${device}, which can read what you write. The conversation is kept on this device only.`,
  chatLeadHere: 'It runs on this device. The conversation is kept here.',
  readers: (names: readonly string[]) => `${list(names)} ${names.length === 1 ? 'holds' : 'hold'}`,
  chatAlmost: (model: string) => `${model} is here; the GPUs of the room are being prepared.`,
  chatLoadingPercent: (model: string, percent: number) => `${model} is loading in the room: ${percent} %`,

  // lines of an answer
  suspected: (device: string) => `${device} does not answer.`,
  suspectedNote: 'Its layers are made ready elsewhere, in case it stays away. Nothing is lost.',
  waiting: {
    loading: 'The devices of the room load their layers. The answer begins by itself.',
    linking: 'The devices of the room are connecting to one another.',
    busy: 'The devices are busy with other answers. This one is next when a place is free.',
    storing: 'This device’s storage is slow to take the conversation. The answer begins by itself.',
    reading: 'This device has not read yet what the model is. The answer begins by itself.',
  },
  waitingBegun: 'The layers are made ready again. The answer goes on by itself; nothing is lost.',
  movedFrom: (gone: string, count: number, names: string) =>
    `${gone} went away; ${count === 1 ? 'its' : 'their'} layers are on ${names} now.`,
  moved: (names: string) => `Layers of other devices are on ${names} now.`,
  movedNote: 'The conversation is read again for the layers that moved.',
  pausedMissing: (missing: string) => `Paused: ${missing} of room are missing.`,
  pausedApart: 'Paused: the devices that have room for it do not reach one another.',
  pausedNote: 'It goes on by itself when a device comes back or another one joins.',
  pausedApartNote: 'Bring them into the same network.',
  smaller: 'Use a smaller model',
  past: {
    silent: (device: string) => `${device} was silent for a while; then the answer went on. Nothing was lost.`,
    paused: (missing: string) => `It was paused here until ${missing} of room were found.`,
    pausedApart: 'It was paused here until the devices reached one another again.',
  },
};

function list(names: readonly string[]): string {
  if (names.length <= 1) return names[0] ?? '';
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
