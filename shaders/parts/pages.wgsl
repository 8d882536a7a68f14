// Where the keys and values of a position lie: [page][kvHead][position in page][headSize].
// The importing kernel binds `pages`: the page of [slot][pagesPerSlot].
const PAGE_POSITIONS: u32 = $pagePositions;
const PAGES_PER_SLOT: u32 = $pagesPerSlot;
const KV_HEADS: u32 = $kvHeads;

/// Index of the head vector of a position.
fn place_of(slot: u32, position: u32, kv_head: u32) -> u32 {
  let page = pages[slot * PAGES_PER_SLOT + position / PAGE_POSITIONS];
  return (page * KV_HEADS + kv_head) * PAGE_POSITIONS + position % PAGE_POSITIONS;
}
