struct Row {
  token: u32,     // the token, unless FROM_SAMPLED
  position: u32,  // in its session
  slot: u32,      // the session's slot; NO_SLOT: a row of padding, which computes nothing and writes nothing
  flags: u32,
}
const NO_SLOT = 0xffffffffu;
const FROM_SAMPLED = 1u;  // the token is what was last sampled for this slot
