// Where the keys and values of a position lie: [page][kvHead][position in page][headSize].
// The importing kernel binds `pages`: the page of [slot][pagesPerSlot].
#import parts/page_sizes

/// Index of the head vector of a position.
fn place_of(slot: u32, position: u32, kv_head: u32) -> u32 {
  let page = pages[slot * PAGES_PER_SLOT + position / PAGE_POSITIONS];
  return (page * KV_HEADS + kv_head) * PAGE_POSITIONS + position % PAGE_POSITIONS;
}
