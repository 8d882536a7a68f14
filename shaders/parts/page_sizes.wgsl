// Pages of keys and values: how many positions one holds, how many a slot has, heads of each position.
const PAGE_POSITIONS: u32 = $pagePositions;
const PAGES_PER_SLOT: u32 = $pagesPerSlot;
const KV_HEADS: u32 = $kvHeads;
