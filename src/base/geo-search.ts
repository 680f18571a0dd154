import {
  coverArea,
  distanceBetween,
  latitudeDegreesOf,
  latitudeDistance,
  longitudeDegreesOf,
  type Position,
  type ScoreInterval,
} from './geohash.js'

/** What a search for places is about: a circle or a box around a center, in meters. A box's sides are measured along its middle and at each place's own latitude. */
export type GeoShape =
  | { readonly kind: 'circle'; readonly center: Position; readonly radius: number }
  | { readonly kind: 'box'; readonly center: Position; readonly width: number; readonly height: number }

/** Distance from the center in meters; -1 for a place that is not within the shape. */
export function distanceWithin(shape: GeoShape, place: Position): number {
  const { center } = shape
  if (shape.kind === 'box') {
    if (latitudeDistance(place.latitude, center.latitude) > shape.height / 2) return -1
    const middle = { longitude: center.longitude, latitude: place.latitude }
    if (distanceBetween(place, middle) > shape.width / 2) return -1
    return distanceBetween(center, place)
  }
  const distance = distanceBetween(center, place)
  return distance > shape.radius ? -1 : distance
}

/** A little more than reckoned, for the rounding of doubles. */
const MARGIN = 1 + 1e-9

/** Intervals of scores in which every place within the shape is. */
export function intervalsOf(shape: GeoShape): ScoreInterval[] {
  const { center } = shape
  if (shape.kind === 'circle') {
    const latitude = latitudeDegreesOf(shape.radius) * MARGIN
    const farthest = Math.abs(center.latitude) + latitude
    // Around a pole every longitude is near.
    const sine = Math.sin(toRadians(Math.min(90, latitude))) / Math.cos(toRadians(center.latitude))
    const longitude = farthest >= 90 || sine >= 1 ? 360 : (Math.asin(sine) / Math.PI) * 180
    return coverArea(center, latitude, longitude * MARGIN)
  }
  const latitude = latitudeDegreesOf(shape.height / 2) * MARGIN
  const farthest = Math.min(90, Math.abs(center.latitude) + latitude)
  return coverArea(center, latitude, longitudeDegreesOf(shape.width / 2, farthest) * MARGIN)
}

function toRadians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
