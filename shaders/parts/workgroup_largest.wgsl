// Largest of a value over the $threads threads of a workgroup (a multiple of 16). Every thread calls it and gets it.
var<workgroup> single_largest: array<f32, $threads>;
var<workgroup> group_largest: array<f32, $threads / 16>;

fn workgroup_largest(value: f32, thread: u32) -> f32 {
  single_largest[thread] = value;
  workgroupBarrier();
  if thread < $threads / 16 {
    var most = single_largest[thread * 16u];
    for (var i = thread * 16u + 1u; i < thread * 16u + 16u; i++) {
      most = max(most, single_largest[i]);
    }
    group_largest[thread] = most;
  }
  workgroupBarrier();
  var most = group_largest[0];
  for (var i = 1u; i < $threads / 16; i++) {
    most = max(most, group_largest[i]);
  }
  workgroupBarrier();
  return most;
}
