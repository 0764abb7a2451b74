"""Drawn masks: what NIfTI, DICOM SEG and RTSTRUCT say lands on the right voxels under the right names."""

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, RTStructureSetStorage, generate_uid

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.delivery import nifti as nifti_writer
from myoproof.errors import InvalidInput, NotReadable
from myoproof.sources import masks
from myoproof.sources.masks_contours import fill

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom", "ignore::UserWarning:highdicom")

ROWS, COLUMNS, SLICES = 12, 10, 4
SPACING = (0.8, 0.7)  # between rows, between columns, mm
STEP = 5.0
TURN = np.deg2rad(7.0)
ALONG_ROW = np.array([np.cos(TURN), np.sin(TURN), 0.0])
ALONG_COLUMN = np.array([-np.sin(TURN), np.cos(TURN), 0.0])
ORIGIN = np.array([-30.0, 12.0, -200.0])


def images() -> list[Dataset]:
    """A slightly oblique stack of MR slices."""
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    made = []
    for number in range(SLICES):
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID, one.SOPInstanceUID = MRImageStorage, generate_uid()
        one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = study, series, frame
        one.PatientID, one.PatientName, one.PatientBirthDate, one.PatientSex = "p", "p", "", "O"
        one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber = "20200101", "120000", "1", ""
        one.ReferringPhysicianName = one.PositionReferenceIndicator = ""
        one.Modality, one.InstanceNumber = "MR", number + 1
        one.Rows, one.Columns = ROWS, COLUMNS
        one.PixelSpacing, one.SliceThickness = list(SPACING), STEP
        one.ImageOrientationPatient = [*ALONG_ROW.round(10), *ALONG_COLUMN.round(10)]
        one.ImagePositionPatient = list((ORIGIN + np.array([0, 0, STEP * number])).round(6))
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated = one.BitsStored = 16
        one.HighBit, one.PixelRepresentation = 15, 0
        one.PixelData = np.zeros((ROWS, COLUMNS), np.uint16).tobytes()
        made.append(one)
    return made


@pytest.fixture
def scan() -> Acquisition:
    affine = np.eye(4)
    affine[:3, 0] = ALONG_ROW * SPACING[1]
    affine[:3, 1] = ALONG_COLUMN * SPACING[0]
    affine[:3, 2] = [0, 0, STEP]
    affine[:3, 3] = ORIGIN
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    return Acquisition(
        "sub-001",
        "m00",
        "",
        "muscle_mri",
        Volume({"image": np.zeros((COLUMNS, ROWS, SLICES), np.float32)}, affine),
    )


def segment(number: int, label: str, code: object = codes.SCT.Muscle) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        number,
        label,
        codes.SCT.Tissue,
        code,
        hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def segmentation(
    pixels: np.ndarray, descriptions: list, kind: str = "BINARY", **options
) -> hd.seg.Segmentation:
    return hd.seg.Segmentation(
        source_images=images(),
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="m",
        manufacturer_model_name="m",
        software_versions="1",
        device_serial_number="1",
        **options,
    )


def drawn() -> np.ndarray:
    """Slices, rows, columns: two regions and an empty first slice, so that writers leave a frame out."""
    labels = np.zeros((SLICES, ROWS, COLUMNS), np.uint8)
    labels[1:, 2:5, 1:4] = 1
    labels[2:, 6:11, 5:9] = 2
    return labels


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_segments_come_back_on_their_voxels(scan: Acquisition, tmp_path: Path, kind: str) -> None:
    told = [segment(1, "Left rectus femoris"), segment(2, "ST_R")]
    options = {"fractional_type": "OCCUPANCY", "max_fractional_value": 200} if kind == "FRACTIONAL" else {}
    pixels = drawn()
    if kind == "FRACTIONAL":
        pixels = np.stack([(pixels == 1) * 0.8 + (pixels == 0) * 0.3, (pixels == 2) * 0.5], -1).astype(
            np.float32
        )
    file = tmp_path / "seg"
    segmentation(pixels, told, kind, **options).save_as(file)
    mask = masks.read_mask(file, scan)
    np.testing.assert_array_equal(mask.labels, drawn().transpose(2, 1, 0))
    assert mask.names == {1: ("rectus_femoris", "left"), 2: ("semitendinosus", "right")}
    assert mask.labels.dtype == np.uint16


def test_a_grid_with_other_axes_is_met_voxel_by_voxel(scan: Acquisition, tmp_path: Path) -> None:
    file = tmp_path / "seg.dcm"
    segmentation(drawn(), [segment(1, "RF_L"), segment(2, "RF_R")]).save_as(file)
    turned = np.zeros((4, 4))
    turned[2, 0] = turned[1, 2] = turned[3, 3] = 1  # new x is the slice, new z the row
    turned[0, 1], turned[0, 3] = -1, COLUMNS - 1  # new y is the column, backwards
    values = np.zeros((SLICES, COLUMNS, ROWS), np.float32)
    other = Acquisition("s", "m00", "", "muscle_mri", Volume({"image": values}, scan.payload.affine @ turned))
    mask = masks.read_mask(file, other)
    np.testing.assert_array_equal(mask.labels, drawn().transpose(0, 2, 1)[:, ::-1])


def test_a_segmentation_of_another_scan_is_refused(scan: Acquisition, tmp_path: Path) -> None:
    file = tmp_path / "seg.dcm"
    segmentation(drawn(), [segment(1, "RF_L"), segment(2, "RF_R")]).save_as(file)
    affine = scan.payload.affine.copy()
    affine[0, 3] += 0.2
    moved = Acquisition("s", "m00", "", "muscle_mri", Volume(scan.payload.channels, affine))
    with pytest.raises(InvalidInput, match=r"0\.2 mm from the images' voxels"):
        masks.read_mask(file, moved)


def test_codes_name_muscle_and_side(scan: Acquisition, tmp_path: Path) -> None:
    file = tmp_path / "seg.dcm"
    told = [
        segment(1, "a", codes.MDC.MusculusVastusLateralisLeft),
        segment(2, "b", codes.MDC.MusculusBicepsFemorisCaputLongum),
    ]
    segmentation(drawn(), told).save_as(file)
    names = masks.read_mask(file, scan).names
    assert names == {1: ("vastus_lateralis", "left"), 2: ("biceps_femoris_long_head", "")}


def test_near_misses_are_refused_together(scan: Acquisition, tmp_path: Path) -> None:
    file = tmp_path / "seg.dcm"
    segmentation(drawn(), [segment(1, "Vastus lateralus"), segment(2, "gracillis left")]).save_as(file)
    with pytest.raises(InvalidInput, match=r"(?s)2 faults.*'vastus lateralis'.*'gracilis'"):
        masks.read_mask(file, scan)


def test_overlap_goes_to_the_smaller_region_and_is_told(scan: Acquisition, tmp_path: Path) -> None:
    pixels = np.zeros((SLICES, ROWS, COLUMNS, 2), np.uint8)
    pixels[1, 0:8, 0:8, 0] = 1
    pixels[1, 7:12, 7:10, 1] = 1
    file = tmp_path / "seg.dcm"
    segmentation(pixels, [segment(1, "RF"), segment(2, "VL")]).save_as(file)
    mask = masks.read_mask(file, scan)
    assert mask.labels[7, 7, 1] == 2
    assert "share 1 voxels" in mask.findings[0].message
    pixels[1, 2:4, 2:4, 1], pixels[1, 7:12, 7:10, 1] = 1, 0
    segmentation(pixels, [segment(1, "thigh"), segment(2, "VL")]).save_as(file)
    with pytest.raises(InvalidInput, match="100% of the smaller region"):
        masks.read_mask(file, scan)


def structure_set(regions: dict[str, list[np.ndarray]]) -> Dataset:
    """Contours (points in LPS mm) by name."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = RTStructureSetStorage
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = generate_uid()
    one.StructureSetROISequence, one.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions.items(), start=301):
        roi, item = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, item.ReferencedROINumber = number, name, number
        item.ContourSequence = []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{value:.6f}" for value in points.reshape(-1)]
            item.ContourSequence.append(contour)
        one.StructureSetROISequence.append(roi)
        one.ROIContourSequence.append(item)
    return one


def on_slice(corners: list[tuple[float, float]], number: float) -> np.ndarray:
    """Corners in (column, row) pixel indices of a slice, as LPS points."""
    return np.array(
        [
            ORIGIN + ALONG_ROW * SPACING[1] * column + ALONG_COLUMN * SPACING[0] * row + [0, 0, STEP * number]
            for column, row in corners
        ]
    )


OUTER = [(0.5, 0.5), (8.5, 0.5), (8.5, 9.5), (0.5, 9.5)]
HOLE = [(2.5, 3.5), (5.5, 3.5), (5.5, 6.5), (2.5, 6.5)]


def test_contours_fill_their_voxels_with_holes(scan: Acquisition, tmp_path: Path) -> None:
    file = tmp_path / "rs.dcm"
    told = {"Sartorius L": [on_slice(OUTER, 1), on_slice(HOLE, 1), on_slice(HOLE, 3)]}
    structure_set(told).save_as(file, enforce_file_format=True)
    mask = masks.read_mask(file, scan)
    expected = np.zeros((COLUMNS, ROWS, SLICES), np.uint16)
    expected[1:9, 1:10, 1] = 301
    expected[3:6, 4:7, 1] = 0
    expected[3:6, 4:7, 3] = 301
    np.testing.assert_array_equal(mask.labels, expected)
    assert mask.names == {301: ("sartorius", "left")}


@pytest.mark.parametrize(
    ("contour", "said"),
    [
        (on_slice(OUTER, 1.4), "away from the images' slices"),
        (on_slice([(-40, 0), (-20, 0), (-20, 9)], 1), "outside the images"),
        (on_slice(OUTER, 1) + np.linspace(0, 2, 4)[:, None] * [0, 0, 1], "leave their slice"),
    ],
    ids=["between slices", "elsewhere", "tilted"],
)
def test_contours_of_other_images_are_refused(scan: Acquisition, tmp_path: Path, contour, said) -> None:
    file = tmp_path / "rs.dcm"
    structure_set({"RF": [contour]}).save_as(file, enforce_file_format=True)
    with pytest.raises(InvalidInput, match=said):
        masks.read_mask(file, scan)


@given(
    corners=st.lists(st.tuples(st.integers(-8, 28), st.integers(-8, 28)), min_size=3, max_size=9),
    cut=st.integers(1, 19),
)
def test_filling_is_the_even_odd_rule(corners: list[tuple[int, int]], cut: int) -> None:
    polygon = np.array(corners) / 4 + 1 / 16  # no centre on an edge through a corner of the lattice
    filled = fill([polygon], (8, 8))
    second = np.roll(polygon, -1, axis=0)
    for x in range(8):
        for y in range(8):
            crosses = 0
            for (ax, ay), (bx, by) in zip(polygon, second, strict=True):
                if (ay > y) != (by > y) and ax + (y - ay) / (by - ay) * (bx - ax) < x:
                    crosses += 1
            edge = any(
                ay != by and (ay > y) != (by > y) and abs(ax + (y - ay) / (by - ay) * (bx - ax) - x) < 1e-12
                for (ax, ay), (bx, by) in zip(polygon, second, strict=True)
            )
            assert edge or filled[x, y] == (crosses % 2 == 1)


def test_polygons_that_share_an_edge_share_no_pixel() -> None:
    left = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 7.0], [0.0, 7.0]])
    right = left + np.array([4.0, 0.0])
    both = fill([left], (10, 10)).astype(int) + fill([right], (10, 10))
    assert both.max() == 1
    assert both.sum() == 8 * 7


def test_nifti_labels_above_255_are_kept(scan: Acquisition, tmp_path: Path) -> None:
    labels = np.zeros(scan.payload.shape, np.uint16)
    labels[2, 3, 1], labels[4, 4, 2] = 300, 65535
    nifti_writer.write(labels, scan.payload.affine, tmp_path / "mask.nii.gz")
    mask = masks.read_mask(tmp_path / "mask.nii.gz", scan)
    np.testing.assert_array_equal(mask.labels, labels)
    assert mask.names == {}


def test_what_is_no_mask_is_said(scan: Acquisition, tmp_path: Path) -> None:
    image = images()[0]
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    with pytest.raises(InvalidInput, match="MR Image Storage, not a segmentation"):
        masks.read_mask(tmp_path / "image.dcm", scan)
    (tmp_path / "text.txt").write_text("no mask")
    with pytest.raises(NotReadable, match="neither NIfTI nor DICOM"):
        masks.read_mask(tmp_path / "text.txt", scan)
    with pytest.raises(NotReadable, match="no such file"):
        masks.read_mask(tmp_path / "absent", scan)


@pytest.fixture(scope="module")
def thigh(data_folder: Path) -> tuple[Acquisition, list[Dataset], Path]:
    """The TCIA soft-tissue sarcoma thigh (STS_001, CC BY 3.0, via oncoray/mirp)."""
    folder = data_folder / "mri_dicom_thigh_t1"
    slices = [pydicom.dcmread(file) for file in sorted((folder / "image").glob("*.dcm"))]
    slices.sort(key=lambda one: one.ImagePositionPatient[2])
    step = slices[1].ImagePositionPatient[2] - slices[0].ImagePositionPatient[2]
    x, y, z = slices[0].ImagePositionPatient
    affine = np.diag([-slices[0].PixelSpacing[1], -slices[0].PixelSpacing[0], step, 1.0])
    affine[:3, 3] = [-x, -y, z]
    values = np.stack([one.pixel_array.T for one in slices], -1).astype(np.float32)
    return (
        Acquisition("s", "m00", "", "muscle_mri", Volume({"image": values}, affine)),
        slices,
        folder / "mask",
    )


@pytest.mark.real_data
def test_volume_of_real_contours_is_that_of_their_polygons(thigh) -> None:
    scan, _, folder = thigh
    mask = masks.read_mask(folder, scan)
    assert mask.names == {1: ("gtv_mass_mr_t1", "")}
    area = 0.0
    for contour in pydicom.dcmread(folder / "RS.dcm").ROIContourSequence[0].ContourSequence:
        x, y, _ = np.array(contour.ContourData, dtype=float).reshape(-1, 3).T
        area += abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    voxel = abs(np.linalg.det(scan.payload.affine[:3, :3]))
    drawn_ml = area * scan.payload.spacing_mm[2] / 1000  # 365.17 mL
    assert (mask.labels == 1).sum() * voxel / 1000 == pytest.approx(drawn_ml, rel=1e-3)


@pytest.mark.real_data
def test_real_contours_survive_a_segmentation_file(thigh, tmp_path: Path) -> None:
    scan, slices, folder = thigh
    labels = masks.read_mask(folder, scan).labels
    written = hd.seg.Segmentation(
        slices,
        (labels.transpose(2, 1, 0) > 0).astype(np.uint8),
        "BINARY",
        [segment(1, "vastus_medialis_left")],
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="m",
        manufacturer_model_name="m",
        software_versions="1",
        device_serial_number="1",
    )
    written.save_as(tmp_path / "seg.dcm")
    back = masks.read_mask(tmp_path / "seg.dcm", scan)
    np.testing.assert_array_equal(back.labels, labels)
    assert back.names == {1: ("vastus_medialis", "left")}
