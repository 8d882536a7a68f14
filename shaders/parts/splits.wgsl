// How the positions that a row attends are split among workgroups: whole pages, by the row alone, whatever its batch.
#import parts/step
#import parts/page_sizes

const SPLITS: u32 = $splits;
const SPLIT_PAGES: u32 = $splitPages; // a split's, at most
const PAGES_ALONE: u32 = $pagesAlone; // up to so many pages each is a split; two together are less work where there are enough

struct Span {
  first: u32,       // first position that the row attends
  page: u32,        // the page it is in
  pages: u32,       // pages from there to the row's own position
  split_pages: u32, // of each split but the last
}

fn span_of(position: u32) -> Span {
  var span: Span;
#if window
  span.first = max(position + 1u, $window) - $window;
#else
  span.first = 0u;
#endif
  span.page = span.first / PAGE_POSITIONS;
  span.pages = position / PAGE_POSITIONS - span.page + 1u;
  span.split_pages = max(select(1u, 2u, span.pages > PAGES_ALONE), (span.pages + SPLITS - 1u) / SPLITS);
  return span;
}
