// The colours of the groups of a map: told apart from each other, and from a light and a dark ground.

export const COLOURS = [
  [66, 119, 196],
  [221, 122, 40],
  [63, 153, 78],
  [200, 70, 78],
  [139, 104, 196],
  [150, 105, 75],
  [214, 112, 184],
  [42, 162, 172],
  [158, 158, 42],
  [105, 140, 226],
  [178, 62, 132],
  [94, 172, 128],
  [232, 146, 118],
  [98, 98, 168],
  [196, 152, 60],
  [72, 128, 128],
];
export const OTHER = [128, 131, 138];
export const NONE = [164, 166, 170];
