// The nodes of the domain "lookalike" as OpenVINO sees them: shapes, checks and memory. The arithmetic is in
// multiscale_fuse.cpp, multiscale_moments.cpp and weighted_moments.cpp.
//
// A node is computed by the thread that asks for it: OpenVINO gives each of its streams a request of its own.
//
// What is compiled here fits the OpenVINO whose headers it was compiled with, and no other: its classes are laid
// out anew in every version. lookalike/encoder/openvino_extension.py compares the versions before it is used.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <openvino/core/extension.hpp>
#include <openvino/core/op_extension.hpp>
#include <openvino/core/version.hpp>
#include <openvino/frontend/onnx/extension/op.hpp>
#include <openvino/op/op.hpp>

#include "multiscale_fuse.h"
#include "block_plan.h"
#include "multiscale_moments.h"
#include "weighted_moments.h"

namespace {

constexpr auto kDomain = "lookalike";

std::unique_ptr<float[]> room(std::int64_t floats) {
    return std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(floats));
}

// What both nodes have in common: their inputs are the maps of all stages, their output is a row an image.
class OverStages : public ov::op::Op {
public:
    OPENVINO_OP("OverStages", "lookalike");

    OverStages() = default;
    explicit OverStages(const ov::OutputVector& maps) : Op(maps) {}

    void validate_and_infer_types() override {
        NODE_VALIDATION_CHECK(this, get_input_size() > 0, "expected the map of at least one stage");
        auto images = ov::Dimension::dynamic();
        const ov::Dimension some(1, -1);
        for (std::size_t stage = 0; stage < get_input_size(); ++stage) {
            const ov::PartialShape& shape = get_input_partial_shape(stage);
            NODE_VALIDATION_CHECK(this, get_input_element_type(stage).compatible(ov::element::f32), "stage ", stage + 1,
                                  ": expected float32, got ", get_input_element_type(stage));
            NODE_VALIDATION_CHECK(this, shape.rank().compatible(4), "stage ", stage + 1,
                                  ": expected 4 dimensions (images, channels, height, width), got ", shape);
            if (shape.rank().is_dynamic()) {
                continue;
            }
            NODE_VALIDATION_CHECK(this, ov::Dimension::merge(images, images, shape[0]), "stage ", stage + 1,
                                  ": expected ", images, " images as in the stages before, got ", shape);
            NODE_VALIDATION_CHECK(this, shape[1].compatible(allowed()), "stage ", stage + 1, ": expected ", allowed(),
                                  " channels, got ", shape);
            NODE_VALIDATION_CHECK(this, shape[2].compatible(some) && shape[3].compatible(some), "stage ", stage + 1,
                                  ": expected at least one pixel, got ", shape);
        }
        set_output_type(0, ov::element::f32, {images, length()});
    }

    bool has_evaluate() const override { return true; }

    // Comes after the shapes of the very maps were validated.
    bool evaluate(ov::TensorVector& outputs, const ov::TensorVector& inputs) const override {
        std::vector<lookalike::Stage> stages;
        stages.reserve(inputs.size());
        const std::size_t images = inputs[0].get_shape()[0];
        for (const ov::Tensor& map : inputs) {
            const ov::Shape& shape = map.get_shape();
            const auto channels = static_cast<std::int64_t>(shape[1]);
            const auto height = static_cast<std::int64_t>(shape[2]);
            const auto width = static_cast<std::int64_t>(shape[3]);
            // A map of a single pixel is read faster as one row of channels.
            stages.push_back({map.data<const float>(), channels, height, width, channels * height * width,
                              height * width == 1 ? lookalike::Layout::pixels : lookalike::Layout::planes});
        }
        outputs[0].set_shape({images, row(stages)});
        if (images > 0) {
            compute(std::move(stages), static_cast<std::int64_t>(images), outputs[0].data<float>());
        }
        return true;
    }

protected:
    // How long a row is, as far as it is known before the maps are there.
    virtual ov::Dimension length() const = 0;

    // How long it is with these maps.
    virtual std::size_t row(const std::vector<lookalike::Stage>& stages) const = 0;

    // How many channels a map may have.
    virtual ov::Dimension allowed() const = 0;

    virtual void compute(std::vector<lookalike::Stage> stages, std::int64_t images, float* out) const = 0;
};

class MultiScaleMoments final : public OverStages {
public:
    OPENVINO_OP("MultiScaleMoments", "lookalike", OverStages);

    MultiScaleMoments() = default;
    MultiScaleMoments(const ov::OutputVector& maps, std::int64_t weighted) : OverStages(maps), weighted_(weighted) {
        constructor_validate_and_infer_types();
    }

    std::shared_ptr<ov::Node> clone_with_new_inputs(const ov::OutputVector& maps) const override {
        return std::make_shared<MultiScaleMoments>(maps, weighted_);
    }

    bool visit_attributes(ov::AttributeVisitor& visitor) override {
        visitor.on_attribute("weighted", weighted_);
        return true;
    }

protected:
    ov::Dimension length() const override {
        ov::Dimension total = 0;
        for (std::size_t stage = 0; stage < get_input_size(); ++stage) {
            const ov::PartialShape& shape = get_input_partial_shape(stage);
            total += shape.rank().is_static() ? shape[1] + shape[1] : ov::Dimension::dynamic();
        }
        return total;
    }

    std::size_t row(const std::vector<lookalike::Stage>& stages) const override {
        std::size_t total = 0;
        for (const lookalike::Stage& stage : stages) {
            total += 2 * static_cast<std::size_t>(stage.channels);
        }
        return total;
    }

    ov::Dimension allowed() const override { return {1, -1}; }

    void compute(std::vector<lookalike::Stage> stages, std::int64_t images, float* out) const override {
        if (weighted_ != 0) {
            const lookalike::WeightedMoments moments(std::move(stages), images);
            const auto weights = room(moments.weights());
            const auto means = room(moments.sums());
            const auto squares = room(moments.sums());
            moments.weigh(0, images, weights.get());
            moments.pool(0, moments.blocks(), weights.get(), means.get(), squares.get());
            moments.merge(0, images, weights.get(), means.get(), squares.get(), out);
            return;
        }
        const lookalike::MultiscaleMoments moments(std::move(stages), images);
        const auto means = room(moments.sums());
        const auto squares = room(moments.sums());
        moments.pool(0, moments.blocks(), means.get(), squares.get());
        moments.merge(0, images, means.get(), squares.get(), out);
    }

private:
    std::int64_t weighted_ = 0;
};

class MultiScaleFuse final : public OverStages {
public:
    OPENVINO_OP("MultiScaleFuse", "lookalike", OverStages);

    MultiScaleFuse() = default;
    MultiScaleFuse(const ov::OutputVector& maps, std::int64_t dimension, std::int64_t normalize)
        : OverStages(maps), dimension_(dimension), normalize_(normalize) {
        constructor_validate_and_infer_types();
    }

    std::shared_ptr<ov::Node> clone_with_new_inputs(const ov::OutputVector& maps) const override {
        return std::make_shared<MultiScaleFuse>(maps, dimension_, normalize_);
    }

    bool visit_attributes(ov::AttributeVisitor& visitor) override {
        visitor.on_attribute("dimension", dimension_);
        visitor.on_attribute("normalize", normalize_);
        return true;
    }

    void validate_and_infer_types() override {
        NODE_VALIDATION_CHECK(this, dimension_ >= 1, "expected a dimension of at least 1, got ", dimension_);
        OverStages::validate_and_infer_types();
    }

protected:
    ov::Dimension length() const override { return dimension_; }

    std::size_t row(const std::vector<lookalike::Stage>&) const override {
        return static_cast<std::size_t>(dimension_);
    }

    ov::Dimension allowed() const override { return {1, dimension_}; }

    void compute(std::vector<lookalike::Stage> stages, std::int64_t images, float* out) const override {
        const lookalike::Fusion fusion(std::move(stages), images, dimension_, normalize_ != 0);
        const auto sums = room(fusion.sums());
        fusion.pool(0, fusion.blocks(), sums.get());
        fusion.fuse(0, images, sums.get(), out);
    }

private:
    std::int64_t dimension_ = 1;
    std::int64_t normalize_ = 1;
};

// A node of an ONNX file; files from before there were weights do not have the attribute.
ov::OutputVector read_moments(const ov::frontend::NodeContext& node) {
    ov::OutputVector maps;
    for (std::size_t stage = 0; stage < node.get_input_size(); ++stage) {
        maps.push_back(node.get_input(static_cast<int>(stage)));
    }
    return std::make_shared<MultiScaleMoments>(maps, node.get_attribute<std::int64_t>("weighted", 0))->outputs();
}

std::vector<ov::Extension::Ptr> both() {
    namespace onnx = ov::frontend::onnx;
    return {
        std::make_shared<ov::OpExtension<MultiScaleMoments>>(),
        std::make_shared<ov::OpExtension<MultiScaleFuse>>(),
        std::make_shared<onnx::ConversionExtension>("MultiScaleMoments", kDomain, read_moments),
        std::make_shared<onnx::OpExtension<MultiScaleFuse>>("MultiScaleFuse", kDomain),
    };
}

}  // namespace

// The version of OpenVINO that this library is for, as "2026.4.1".
OPENVINO_EXTENSION_C_API const char* lookalike_openvino_version() {
#define LOOKALIKE_TEXT(number) #number
#define LOOKALIKE_VERSION(major, minor, patch) \
    LOOKALIKE_TEXT(major) "." LOOKALIKE_TEXT(minor) "." LOOKALIKE_TEXT(patch)
    return LOOKALIKE_VERSION(OPENVINO_VERSION_MAJOR, OPENVINO_VERSION_MINOR, OPENVINO_VERSION_PATCH);
}

OPENVINO_CREATE_EXTENSIONS(both());
